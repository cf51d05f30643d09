"""What the values of masks mean where a small file lists their classes, by number or by colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocol.data_report import Severity
from protocol.errors import TrainingError
from tests.drawn_masks import (
    SETS,
    colours,
    disc,
    grey,
    palette,
    project,
    read,
    saved,
    scaled,
    wrong_share,
)
from trainer_worker.layouts.mask_class_lists import voc_colour
from trainer_worker.segmentation.classes import UNLABELLED


def two_colours(mask: np.ndarray, path: Path, number: int) -> None:
    saved(colours(mask, (0, 0, 0), ((176, 112, 32), (48, 112, 32))[number % 2]), path)


LABELMAP = "# label:color_rgb:parts:actions\nleaf:48,112,32::\nbackground:0,0,0::\ncell:176,112,32::\n"


@pytest.mark.parametrize(
    ("file", "content", "names"),
    [
        ("labelmap.txt", LABELMAP, ("background", "leaf", "cell")),
        ("classes.txt", "background 0 0 0\nleaf 48 112 32\ncell 176 112 32\n", ("background", "leaf", "cell")),
        ("classes.txt", "ground, 0, 0, 0\nthe leaf,48,112,32\ncell,176,112,32", ("ground", "the leaf", "cell")),
    ],
)
def test_colours_of_a_list_tell_classes(tmp_path: Path, file: str, content: str, names: tuple[str, ...]) -> None:
    project(tmp_path, two_colours)
    (tmp_path / file).write_text(content)
    folders, examples = read(tmp_path)
    assert folders.classes.names == names
    for number in range(SETS):
        np.testing.assert_array_equal(examples.masks[number], scaled(disc(number)) * (1 if number % 2 else 2))


def test_a_colour_that_is_not_listed_stops_with_its_share(tmp_path: Path) -> None:
    project(tmp_path, two_colours)
    (tmp_path / "classes.txt").write_text("background 0 0 0\nleaf 48 112 32\n")
    with pytest.raises(TrainingError, match=r"colour 176 112 32 \(\d\.\d %\).*'name 176 112 32'") as caught:
        read(tmp_path)
    assert caught.value.code == "bad_classes"


def test_coloured_masks_and_a_list_without_colours_stop_with_the_list_that_would_fit(tmp_path: Path) -> None:
    project(tmp_path, two_colours)
    (tmp_path / "classes.txt").write_text("background\nleaf\ncell\n")
    with pytest.raises(TrainingError, match=r"(?s)doesn't say which colour.*class_2 176 112 32") as caught:
        read(tmp_path)
    assert caught.value.code == "bad_classes"


@pytest.mark.parametrize("is_palette", [True, False])
def test_the_colours_of_voc_stand_for_numbers(tmp_path: Path, is_palette: bool) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        indexes = np.where(mask, 1 + number % 2, np.where(disc(number, 5), 255, 0))
        image = palette(indexes, [channel for index in range(256) for channel in voc_colour(index)])
        saved(image if is_palette else image.convert("RGB"), path)

    project(tmp_path, write)
    (tmp_path / "classes.txt").write_text("background\naeroplane\nbicycle\n")
    _, examples = read(tmp_path)
    assert set(np.unique(examples.masks)) == {0, 1, 2, UNLABELLED}
    np.testing.assert_array_equal(examples.masks[1] == 2, scaled(disc(1)) == 1)


def test_grey_masks_with_the_grey_values_of_a_list_of_colours(tmp_path: Path) -> None:
    project(tmp_path, lambda mask, path, number: saved(grey(mask, 0, 100), path))
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\ncell:100,100,100::\n")
    np.testing.assert_array_equal(read(tmp_path)[1].masks[4], scaled(disc(4)))


def test_white_stands_for_the_one_class_if_no_mask_holds_both(tmp_path: Path) -> None:
    project(tmp_path, lambda mask, path, number: saved(grey(mask, 0, 1 if number < 5 else 255), path))
    (tmp_path / "classes.txt").write_text("background\ncrack\n")
    folders, examples = read(tmp_path)
    assert max(wrong_share(examples, number) for number in range(SETS)) == 0
    assert not (examples.masks == UNLABELLED).any()
    found = next(each for each in folders.findings if each.code == "mask_white_is_class")
    assert (found.severity, found.count, found.files[0]) == (Severity.WARNING, 3, "masks/p5.png")


def test_white_stays_unlabelled_if_a_mask_holds_it_beside_the_class_and_the_others_are_named(tmp_path: Path) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        drawn = np.where(mask, 1 if number < 5 else 255, np.where(disc(number, 4) & (number < 5), 255, 0))
        saved(Image.fromarray(drawn.astype(np.uint8)), path)

    project(tmp_path, write)
    (tmp_path / "classes.txt").write_text("background\ncrack\n")
    folders, examples = read(tmp_path)
    assert not (examples.masks[6] == 1).any()
    found = next(each for each in folders.findings if each.code == "mask_only_unlabelled")
    assert (found.count, found.files[-1]) == (3, "masks/p7.png")
