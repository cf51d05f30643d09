"""Draws pictures of branching vessels, 1 to 5 px wide, on an uneven bright disc, as an eye's background looks.

The set is for measuring a segmenter on thin lines in large pictures. Nothing was fitted to a published set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH_PX, HEIGHT_PX = 565, 584
#: The widths of a vessel where it begins; branches are thinner, down to 1 px.
FIRST_WIDTH_PX = (3.5, 5.5)
TRUNKS = (5, 9)
STEP_PX = 7.0
#: Masks and vessels are drawn this many times as large and scaled down, so that widths need not be whole pixels.
DRAWN_SCALE = 3


class _Tree:
    """Draws branching lines into a picture of how much is covered, 0 to 255."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self.covered = Image.new("L", (WIDTH_PX * DRAWN_SCALE, HEIGHT_PX * DRAWN_SCALE))
        self._draw = ImageDraw.Draw(self.covered)

    def grow(self, x: float, y: float, angle: float, width_px: float) -> None:
        random = self._random
        waiting = [(x, y, angle, width_px)]
        while waiting:
            x, y, angle, width_px = waiting.pop()
            bend = random.normal(0, 0.03)
            for _ in range(int(random.integers(8, 40))):
                bend = 0.85 * bend + random.normal(0, 0.06)
                angle += bend
                further = (x + STEP_PX * np.cos(angle), y + STEP_PX * np.sin(angle))
                line = [(DRAWN_SCALE * place) for place in (x, y, *further)]
                self._draw.line(line, fill=255, width=max(1, round(DRAWN_SCALE * width_px)))
                x, y = further
                width_px = max(1.0, width_px * 0.99)
                if not (0 < x < WIDTH_PX and 0 < y < HEIGHT_PX):
                    break
            else:
                if width_px > 1.0 or random.random() < 0.3:
                    spread = random.uniform(0.3, 0.8)
                    waiting.append((x, y, angle - spread, width_px * random.uniform(0.55, 0.8)))
                    waiting.append((x, y, angle + spread / 2, width_px * random.uniform(0.7, 0.95)))


def _picture_and_mask(random: np.random.Generator) -> tuple[Any, Any]:
    rows, columns = np.mgrid[:HEIGHT_PX, :WIDTH_PX].astype(np.float32)
    middle = (HEIGHT_PX / 2 + random.normal(0, 6), WIDTH_PX / 2 + random.normal(0, 6))
    radius = random.uniform(255, 275)
    field = np.hypot(rows - middle[0], columns - middle[1]) < radius
    disc = (middle[0] + random.normal(0, 20), middle[1] + random.choice((-1, 1)) * random.uniform(120, 170))
    tree = _Tree(random)
    for _ in range(int(random.integers(*TRUNKS))):
        start = (disc[1] + random.normal(0, 8), disc[0] + random.normal(0, 8))
        tree.grow(*start, random.uniform(0, 2 * np.pi), random.uniform(*FIRST_WIDTH_PX))
    covered = np.asarray(tree.covered.resize((WIDTH_PX, HEIGHT_PX), Image.Resampling.BOX), np.float32) / 255
    covered *= field
    uneven = Image.fromarray(random.normal(0, 1, (8, 8)).astype(np.float32)).resize((WIDTH_PX, HEIGHT_PX), 3)
    grain = Image.fromarray(random.normal(0, 1, (90, 90)).astype(np.float32)).resize((WIDTH_PX, HEIGHT_PX), 3)
    light = 1 + 0.15 * np.asarray(uneven) + 0.03 * np.asarray(grain)
    light -= 0.25 * (np.hypot(rows - middle[0], columns - middle[1]) / radius) ** 2
    light += 0.5 * np.exp(-((np.hypot(rows - disc[0], columns - disc[1]) / 35) ** 4))
    soft = Image.fromarray((255 * covered).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    dark = np.asarray(soft, np.float32) / 255
    light *= 1 - random.uniform(0.18, 0.4) * dark
    colour = np.array([random.uniform(170, 215), random.uniform(80, 125), random.uniform(30, 70)])
    pixels = light[..., np.newaxis] * colour * field[..., np.newaxis] + random.normal(0, 5, (HEIGHT_PX, WIDTH_PX, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), np.where(covered >= 0.5, 255, 0).astype(np.uint8)


def make_vessels_project(folder: Path, images: int, seed: int) -> None:
    """Write `images` pictures to folder/images/*.png and their masks (0/255) to folder/masks/.

    Same seed, same files.
    """
    random = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number in range(images):
        picture, mask = _picture_and_mask(random)
        Image.fromarray(picture).save(folder / "images" / f"vessels_{number:03d}.png")
        Image.fromarray(mask).save(folder / "masks" / f"vessels_{number:03d}.png")
