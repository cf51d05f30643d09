"""tiles=auto: pictures are cut only where scaling them down would lose thin regions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protocol.data_report import Severity
from trainer_worker.attempt.job import Cancelled
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation import tile_choice
from trainer_worker.segmentation.folders import Cutting, Examples, MaskFolders, read_pairs, scan_mask_folders
from trainer_worker.segmentation.mask_sources import MaskedPicture
from trainer_worker.segmentation.tile_choice import AUTO, choose_tiles, edges_of

SIDE = 64
HEIGHT, WIDTH = 160, 224
Drawing = Callable[[Any, int], None]


def project(root: Path, draw: Drawing, shape: tuple[int, int] = (HEIGHT, WIDTH), classes: str = "") -> Path:
    for name in ("images", "masks"):
        (root / name).mkdir(parents=True)
    for number in range(6):
        mask = np.zeros(shape, np.uint8)
        draw(mask, number)
        noise = np.random.default_rng(number).integers(0, 256, (*shape, 3), np.uint8)
        Image.fromarray(noise).save(root / "images" / f"p{number}.png")
        Image.fromarray(mask).save(root / "masks" / f"p{number}.png")
    if classes:
        (root / "classes.txt").write_text(classes, encoding="utf-8")
    return root


def lines(mask: Any, number: int) -> None:
    """Three upright lines of 3 px."""
    for left in (20, 90, 150):
        mask[:, left + number : left + number + 3] = 255


def blobs(mask: Any, number: int) -> None:
    mask[30:110, 40 + number : 120 + number] = 255


def read(root: Path, tiles: Any = AUTO, threads: int = 2) -> tuple[MaskFolders, Examples]:
    folders = scan_mask_folders(UserFiles.at(root))
    return folders, read_pairs(folders, Cutting(SIDE, tiles, seed=1), threads, lambda share: None)


def chosen(folders: MaskFolders) -> list[str]:
    return [found.sentence for found in folders.findings if found.code == "tiles_chosen"]


def test_thin_lines_get_tiles_and_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, lines)
    folders, examples = read(tmp_path)
    # Tiles of 64 px overlap by 16 px or more: three rows and five columns cover 160 x 224 px.
    assert examples.tiles == 15
    assert len(examples.owners) == 6 * 15
    (sentence,) = chosen(folders)
    assert "tiles=auto chose 15 tiles" in sentence
    assert "'foreground'" in sentence
    assert f"pictures of {WIDTH} x {HEIGHT} px" in sentence
    assert f"imageSize={SIDE}" in sentence
    assert all(found.severity is Severity.INFO for found in folders.findings if found.code == "tiles_chosen")

    monkeypatch.setattr(tile_choice, "THINNEST_PX", 0.0)  # the control: without the rule, lines are scaled away
    folders, examples = read(tmp_path)
    assert (examples.tiles, len(examples.owners), chosen(folders)) == (0, 6, [])


def test_another_attempt_chooses_the_same(tmp_path: Path) -> None:
    project(tmp_path, lines)
    (folders, first), (again, second) = read(tmp_path, threads=1), read(tmp_path, threads=3)
    assert chosen(folders) == chosen(again)
    for field in dataclasses.fields(Examples):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name))


@pytest.mark.parametrize(
    ("draw", "shape"),
    [
        pytest.param(blobs, (HEIGHT, WIDTH), id="blobs"),
        pytest.param(lines, (SIDE, SIDE), id="lines in pictures of the input's size"),
        pytest.param(lambda mask, number: lines(mask, 0) if number == 0 else blobs(mask, number), None, id="one mask"),
    ],
)
def test_what_tiles_would_not_help_is_scaled_down(draw: Drawing, shape: tuple[int, int] | None, tmp_path: Path) -> None:
    folders, examples = read(project(tmp_path, draw, shape or (HEIGHT, WIDTH)))
    assert (examples.tiles, chosen(folders)) == (0, [])


def poles_beside_roads(mask: Any, number: int) -> None:
    mask[60:] = 1
    mask[:, 50 + number : 52 + number] = 2


def a_pole_in_one_mask(mask: Any, number: int) -> None:
    poles_beside_roads(mask, number) if number == 3 else mask.__setitem__(slice(60, None), 1)


def test_one_thin_class_of_several_is_enough_but_not_one_mask_of_it(tmp_path: Path) -> None:
    classes = "other\nroad\npole\n"
    folders, examples = read(project(tmp_path / "poles", poles_beside_roads, classes=classes))
    assert examples.tiles == 15
    assert "class 'pole'" in chosen(folders)[0]
    _, examples = read(project(tmp_path / "one", a_pole_in_one_mask, classes=classes))
    assert examples.tiles == 0


def test_a_given_number_is_kept(tmp_path: Path) -> None:
    project(tmp_path, lines)
    for tiles in (0, 4):
        folders, examples = read(tmp_path, tiles)
        assert (examples.tiles, chosen(folders)) == (tiles, [])


@pytest.mark.parametrize("thick_px", [2, 3, 4, 7])
def test_a_line_has_two_edge_pixels_in_each_cross_section(thick_px: int) -> None:
    mask = np.zeros((50, 50), np.uint8)
    mask[:, 20 : 20 + thick_px] = 1
    pixels, edges = edges_of(mask, 2)
    assert 2 * pixels[1] / edges[1] == thick_px


def test_many_pictures_get_fewer_tiles_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tile_choice, "MOST_EXAMPLES", 30)
    _, examples = read(project(tmp_path, lines))
    assert examples.tiles == 5


def test_pictures_that_are_too_large_to_cut_are_scaled_down_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def whole_bytes(reader: PictureReader, pair: MaskedPicture, size: tuple[int, int]) -> int:
        return reader.budget.most_bytes + (pair.picture.name == "p2.png")

    monkeypatch.setattr(tile_choice, "whole_bytes_of", whole_bytes)
    folders, examples = read(project(tmp_path, lines))
    (found,) = [found for found in folders.findings if found.code == "tiles_impossible"]
    assert (examples.tiles, found.severity, found.files) == (0, Severity.WARNING, ("images/p2.png",))
    assert len(examples.owners) == 6  # with tiles, the large one would be left out


def test_a_cancel_is_heard_while_the_masks_are_looked_at(tmp_path: Path) -> None:
    folders = scan_mask_folders(UserFiles.at(project(tmp_path, lines)))
    calls = list[int]()

    def choose(cancelled_at: int) -> int:
        def on_step() -> None:
            calls.append(len(calls) + 1)
            if calls[-1] == cancelled_at:
                raise Cancelled

        calls.clear()
        return choose_tiles(folders, SIDE, 2, on_step).tiles

    assert choose(cancelled_at=0) == 15
    looks = len(calls)
    assert looks == 2 * len(folders.pairs)  # for the thickness, and for the pictures that are too large
    for cancelled_at in (1, looks):
        with pytest.raises(Cancelled):
            choose(cancelled_at)


def nothing(mask: Any, number: int) -> None:
    pass


def everything(mask: Any, number: int) -> None:
    mask[:] = 255


@pytest.mark.parametrize(
    ("draw", "shape"),
    [
        pytest.param(nothing, (HEIGHT, WIDTH), id="nothing is marked"),
        pytest.param(everything, (HEIGHT, WIDTH), id="all is marked"),
        pytest.param(everything, (1, 1), id="one pixel"),
        pytest.param(everything, (1, 6000), id="one row"),
    ],
)
def test_odd_masks_do_not_ask_for_tiles(draw: Drawing, shape: tuple[int, int], tmp_path: Path) -> None:
    folders = scan_mask_folders(UserFiles.at(project(tmp_path, draw, shape)))
    assert choose_tiles(folders, SIDE, 2, lambda: None) == (0, ())


def test_masks_that_cannot_be_read_do_not_decide(tmp_path: Path) -> None:
    project(tmp_path, lines)
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    for number in range(6):
        (tmp_path / "masks" / f"p{number}.png").write_bytes(b"no picture")
        expected = 15 if number < 5 else 0  # one mask that can be read is enough
        assert choose_tiles(folders, SIDE, 2, lambda: None).tiles == expected
