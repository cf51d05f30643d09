"""Small project folders with pictures, for tests that look at folders and train nothing."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

SIDE_PX = 40


def draw_classes(project: Path, counts: dict[str, int]) -> Path:
    """images/<class>/<number>.png, no two alike. Returns the project."""
    for row, (label, count) in enumerate(counts.items()):
        folder = project / "images" / label
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("RGB", (SIDE_PX, SIDE_PX), (row * 40 % 256, number % 256, 90)).save(folder / f"{number}.png")
    return project


def draw_pairs(project: Path, count: int, mask_size: tuple[int, int] = (60, 40)) -> Path:
    """images/<number>.jpg of 60 x 40 pixels with masks/<number>.png of mask_size. Returns the project."""
    for name in ("images", "masks"):
        (project / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new("RGB", (60, 40), (number * 9 % 256, 80, 90)).save(project / "images" / f"{number}.jpg")
        mask = Image.new("L", mask_size)
        mask.paste(255, (5, 5, 20, 20))
        mask.save(project / "masks" / f"{number}.png")
    return project
