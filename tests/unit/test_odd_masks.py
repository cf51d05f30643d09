"""One mask of a set that differs from all others: it is named, and never trained on in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocol.data_report import Severity
from protocol.errors import TrainingError
from tests.drawn_masks import HEIGHT, WIDTH, colours, disc, grey, read

COUNT, ODD = 20, 7


def project(root: Path, odd: Callable[[np.ndarray], Image.Image], low: int = 0) -> Path:
    """Black and white masks, but for one of them."""
    for name in ("images", "masks"):
        (root / name).mkdir()
    for number in range(COUNT):
        mask = disc(number % 8)
        Image.new("RGB", (WIDTH, HEIGHT), (number, 90, 90)).save(root / "images" / f"p{number}.png")
        (odd(mask) if number == ODD else grey(mask, low)).save(root / "masks" / f"p{number}.png")
    return root


def photo(mask: np.ndarray) -> Image.Image:
    """Noise with one even surface."""
    pixels = np.random.default_rng(5).integers(90, 150, (*mask.shape, 3)).astype(np.uint8)
    pixels[20:60, 30:70] = (200, 60, 40)
    return Image.fromarray(pixels)


def test_a_mask_with_its_sides_swapped_is_named(tmp_path: Path) -> None:
    folders, _ = read(project(tmp_path, lambda mask: grey(~mask)))
    (found,) = [each for each in folders.findings if each.code == "masks_swapped"]
    assert found.severity is Severity.WARNING
    assert found.files == ("masks/p7.png",)
    assert "1 of 20 masks" in found.sentence
    assert "invert" in found.cure


@pytest.mark.parametrize(("large_px", "is_named"), [(0, True), (36, False)])
def test_half_of_the_masks_with_their_sides_swapped_are_named(tmp_path: Path, large_px: int, is_named: bool) -> None:
    project(tmp_path, grey)
    for number in range(0, COUNT, 2):  # inverted, or with an object of half the picture
        mask = disc(number % 8, large_px) if large_px else ~disc(number % 8)
        grey(mask).save(tmp_path / "masks" / f"p{number}.png")
    folders, _ = read(tmp_path)
    counts = [each.count for each in folders.findings if each.code == "masks_swapped"]
    assert counts == ([COUNT // 2] if is_named else [])


def test_large_objects_among_small_ones_are_no_mistake(tmp_path: Path) -> None:
    folders, _ = read(project(tmp_path, lambda mask: grey(disc(7, 12))))
    assert "masks_swapped" not in {each.code for each in folders.findings}


@pytest.mark.parametrize("odd", [lambda mask: colours(mask, (0, 0, 0), (255, 0, 0)), photo])
def test_the_error_on_a_third_value_names_the_mask_that_holds_it(
    tmp_path: Path, odd: Callable[[np.ndarray], Image.Image]
) -> None:
    with pytest.raises(TrainingError, match=r"is only in masks/p7\.png.*correct these masks") as caught:
        read(project(tmp_path, odd))
    assert caught.value.code == "bad_classes"


def test_the_error_on_a_colour_that_is_not_listed_names_its_mask(tmp_path: Path) -> None:
    project(tmp_path, lambda mask: colours(mask, (0, 0, 0), (1, 2, 200)))
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\ncell:255,255,255::\n")
    with pytest.raises(TrainingError, match=r"in masks/p7\.png\. Listed are"):
        read(tmp_path)


@pytest.mark.parametrize("listed", ["", "background:0,0,0::\ncell:200,60,40::\n"])
def test_a_set_of_photos_with_even_surfaces_holds_no_masks(tmp_path: Path, listed: str) -> None:
    project(tmp_path, photo)
    if listed:
        (tmp_path / "labelmap.txt").write_text(listed)
    for number in range(COUNT):
        photo(disc(number % 8)).save(tmp_path / "masks" / f"p{number}.png")
    with pytest.raises(TrainingError, match="look like photos") as caught:
        read(tmp_path)
    assert caught.value.code == "bad_masks"


def test_a_list_without_a_background_is_told_of_it(tmp_path: Path) -> None:
    project(tmp_path, lambda mask: grey(mask, 0, 2))
    for number in range(COUNT):
        grey(disc(number % 8), 0, 1 + number % 2).save(tmp_path / "masks" / f"p{number}.png")
    (tmp_path / "classes.txt").write_text("left\nright\n")
    with pytest.raises(TrainingError, match="the first line is the background"):
        read(tmp_path)
