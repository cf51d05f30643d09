"""The manifest tells how a picture becomes the model's input: whoever follows it gets the very pixels that we get."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import plain_reading
from tests.odd_pictures import write_odd_pictures
from trainer_worker.pictures.flattening import OWN_RANGES
from trainer_worker.pictures.grey_scale import with_grey_scale
from trainer_worker.pictures.images import PictureReader, image_size, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.publishing.app_pack import SNIPPETS
from trainer_worker.publishing.model_input import TileSize, model_input
from trainer_worker.segmentation.tiles import overlap_px, part_that_counts, tiled_size, tiles

SIDE = 96


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    write_odd_pictures(folder)
    return folder


def reader_of(folder: Path, one_scale: bool) -> PictureReader:
    reader = PictureReader(UserFiles.at(folder))
    return with_grey_scale(reader, sorted(folder.iterdir()), 1, lambda: None) if one_scale else reader


def by_the_snippet(said: dict[str, Any]) -> Any:
    """The Model of the app pack's predict.py, without a model file."""
    model = object.__new__(runpy.run_path(str(SNIPPETS.folder / "python" / "predict.py"))["Model"])
    model.input, model.side = said, SIDE
    model.spec = {"output": {"shape": [1, SIDE, SIDE, 2]}}
    return model


@pytest.mark.parametrize("one_scale", [True, False], ids=["scale of the set", "own ranges"])
@pytest.mark.parametrize("tiled", [False, True], ids=["squash", "tiles"])
def test_what_the_manifest_says_gives_the_same_pixels(folder: Path, tiled: bool, one_scale: bool) -> None:
    reader = reader_of(folder, one_scale)
    said = model_input(SIDE, reader.grey, TileSize(SIDE, overlap_px(SIDE)) if tiled else None)
    model = by_the_snippet(said)
    assert (said["grey_scale"] != {}) == one_scale
    for path in sorted(folder.iterdir()):
        size = tiled_size(*image_size(reader, path), SIDE) if tiled else (SIDE, SIDE)
        ours = read_rgb(reader, path, size)
        assert np.array_equal(plain_reading.read(path, said), ours), path.name
        assert np.array_equal(model.read(path), ours), path.name


@pytest.mark.parametrize("size", [(SIDE, SIDE), (SIDE + 1, SIDE), (173, 250), (401, SIDE)])
def test_tiles_are_cut_and_put_together_as_the_manifest_says(size: tuple[int, int]) -> None:
    """The stand-in for a model says where each pixel lies in its square."""
    said = model_input(SIDE, OWN_RANGES, TileSize(SIDE, overlap_px(SIDE)))
    place = np.indices((SIDE, SIDE)).transpose(1, 2, 0).astype(np.float32)
    picture = np.zeros((*size, 3), np.uint8)
    ours = np.empty((*size, 2), np.float32)
    for tile in tiles(*size, SIDE):
        ours[tile.answers_for] = part_that_counts(tile, place)
    assert np.array_equal(plain_reading.outputs(picture, said, lambda _: place), ours)
    model = by_the_snippet(said)
    model.read, model._run = lambda _: picture, lambda _: place
    assert np.array_equal(model.predict(Path("any")), ours)


def test_the_words_for_programs_are_few() -> None:
    squash, cut = model_input(SIDE, OWN_RANGES), model_input(SIDE, OWN_RANGES, TileSize(SIDE, 24))
    assert (squash["fit"], cut["fit"]) == ("squash", "tiles")
    assert "tiles" not in squash
    assert cut["tiles"] == {"size_px": SIDE, "overlap_px": 24}
    assert any("squashed into the square" in step for step in squash["steps"])
    assert any("Cut squares of 96 x 96 pixels" in step for step in cut["steps"])
