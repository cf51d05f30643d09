"""Two classes that differ by their side alone, as lungs or eyes do: only without mirroring can they be learned."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image, ImageDraw
from sklearn.datasets import load_sample_images

from protocol.options import Mirror, SegmentationOptions
from tests.project_folders import attempt_in
from trainer_worker.segmentation.train import train

SIDE_PX, PICTURES = 96, 24
OPTIONS = SegmentationOptions(image_size=SIDE_PX, epochs=12, batch_size=4, exports=("tflite",))


def make_project(folder: Path) -> None:
    """A disc in each half of a crop of a photo, both of one colour. The left one is class 1, the right one class 2."""
    random = np.random.default_rng(5)
    photos = load_sample_images().images
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("background\none\ntwo\n", encoding="utf-8")
    for number in range(PICTURES):
        top, left = random.integers(0, 300, 2)
        picture = Image.fromarray(photos[number % 2][top : top + SIDE_PX, left : left + SIDE_PX])
        mask = Image.new("L", picture.size)
        colour = tuple(random.integers(0, 256, 3).tolist())
        for label, middle_px in ((1, SIDE_PX // 4), (2, 3 * SIDE_PX // 4)):
            x, y = middle_px + random.integers(-4, 5), random.integers(20, SIDE_PX - 20)
            radius = random.integers(11, 17)
            box = [int(edge) for edge in (x - radius, y - radius, x + radius, y + radius)]
            ImageDraw.Draw(picture).ellipse(box, fill=colour)
            ImageDraw.Draw(mask).ellipse(box, fill=label)
        picture.save(folder / "images" / f"{number:02}.png")
        mask.save(folder / "masks" / f"{number:02}.png")


def dice(folder: Path, mirror: Mirror) -> tuple[float, str, list[str]]:
    """Dice of a training, its sentence on views, and the codes of what was found in the folder."""
    make_project(folder)
    attempt = attempt_in(folder, msgspec.structs.replace(OPTIONS, mirror=mirror))
    result = train(attempt)
    metrics = json.loads((result.model_path.parent / "metrics.json").read_text())
    return result.metrics["dice"], metrics["views"], [found.code for found in attempt.data_report.findings]


@pytest.mark.slow
def test_classes_of_two_sides_are_learned_because_their_pictures_are_not_mirrored(tmp_path: Path) -> None:
    learned, views, found = dice(tmp_path / "auto", "auto")
    assert "mirrored" not in views
    assert "not_mirrored" in found
    control, views, found = dice(tmp_path / "always", "always")
    assert "mirrored left to right" in views
    assert "not_mirrored" not in found
    assert learned > 0.75 > 0.65 > control
