"""Arrows on photos, in two classes that only their direction tells apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

#: An arrow that points to the right, in shares of its length: (across, down) from its middle.
SHAPE = np.array([(-0.5, -0.1), (0.05, -0.1), (0.05, -0.35), (0.5, 0.0), (0.05, 0.35), (0.05, 0.1), (-0.5, 0.1)])
LENGTH = (0.75, 0.9)  # shares of the picture's side
OFF_CENTRE, MOST_TURN_RADIANS = 0.04, 0.1
CROP_PX = (120, 300)


def draw_arrows(project: Path, numbers: Mapping[str, int], side_px: int) -> Path:
    """Pictures in PART/left/ and PART/right/. The same arguments give the same files.

    numbers: the pictures of each class in each part of a split, such as {"train": 60, "test": 30}.
    """
    random = np.random.default_rng(1)
    photos = load_sample_images().images
    for part, count in numbers.items():
        for label, direction in (("left", -1), ("right", 1)):
            folder = project / part / label
            folder.mkdir(parents=True)
            for number in range(count):
                _arrow(random, _background(random, photos, side_px), direction).save(folder / f"{number:03d}.png")
    return project


def _arrow(random: np.random.Generator, picture: Image.Image, direction: int) -> Image.Image:
    """A white arrow on the picture. direction: 1 to the right, -1 to the left."""
    angle = random.uniform(-MOST_TURN_RADIANS, MOST_TURN_RADIANS)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    middle = 0.5 + random.uniform(-OFF_CENTRE, OFF_CENTRE, 2)
    corners = SHAPE @ turn * (direction, 1) * random.uniform(*LENGTH) + middle
    ImageDraw.Draw(picture).polygon([tuple(corner) for corner in corners * picture.width], fill="white")
    return picture


def _background(random: np.random.Generator, photos: list[np.ndarray], side_px: int) -> Image.Image:
    """A dark part of a photo."""
    photo, crop_px = photos[random.integers(len(photos))], int(random.integers(*CROP_PX))
    top, left = (int(random.integers(size - crop_px)) for size in photo.shape[:2])
    crop = Image.fromarray(photo[top : top + crop_px, left : left + crop_px] // 3)
    return crop.resize((side_px, side_px))
