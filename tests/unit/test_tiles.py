"""Large pictures as tiles: every pixel is answered for once, by a tile that sees around it."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.folders import Cutting, read_pairs, scan_mask_folders
from trainer_worker.segmentation.tiles import choose, overlap_px, part_that_counts, thinned, tiled_size, tiles
from trainer_worker.segmentation.whole_pair import whole_pair

SIDE = 64


@given(height=st.integers(SIDE, 500), width=st.integers(SIDE, 500))
def test_tiles_put_together_are_the_picture(height: int, width: int) -> None:
    picture = np.arange(height * width).reshape(height, width)
    together = np.full_like(picture, -1)
    for tile in tiles(height, width, SIDE):
        square = picture[tile.window]
        assert square.shape == (SIDE, SIDE)
        assert (together[tile.answers_for] == -1).all()
        together[tile.answers_for] = part_that_counts(tile, square)
    np.testing.assert_array_equal(together, picture)


@given(length=st.integers(SIDE + 1, 2000))
def test_neighbours_overlap_and_edges_of_a_tile_do_not_count_inside_the_picture(length: int) -> None:
    along = [(tile.window[1], tile.answers_for[1]) for tile in tiles(SIDE, length, SIDE)]
    assert along[0][1].start == 0
    assert along[-1][1].stop == length
    for (window, answers_for), (after, answers_after) in itertools.pairwise(along):
        assert window.stop - after.start >= overlap_px(SIDE)
        assert window.stop - answers_for.stop >= overlap_px(SIDE) // 2
        assert answers_after.start - after.start >= overlap_px(SIDE) // 2


def test_a_picture_of_the_tiles_size_is_one_tile_and_smaller_ones_are_stretched() -> None:
    assert len(tiles(SIDE, SIDE, SIDE)) == 1
    assert tiled_size(10, 300, SIDE) == (SIDE, 300)


def test_tiles_with_foreground_are_chosen_first_but_not_alone() -> None:
    mask = np.zeros((1000, 1000), np.uint8)
    mask[:300, :300] = 1
    mask[600:, :] = 255
    chosen = choose(mask, SIDE, 8, np.random.default_rng(0))
    marks = [(mask[tile.window] == 1).any() for tile in chosen]
    assert (len(chosen), sum(marks)) == (8, 6)
    assert not any((mask[tile.window] == 255).all() for tile in chosen)
    again = choose(mask, SIDE, 8, np.random.default_rng(0))
    assert again == chosen
    assert choose(mask, SIDE, 8, np.random.default_rng(1)) != chosen


@pytest.mark.parametrize(("value", "most", "expected"), [(0, 5, 5), (1, 5, 5), (1, 100, 9), (255, 5, 0)])
def test_masks_all_alike_give_what_there_is(value: int, most: int, expected: int) -> None:
    mask = np.full((160, 160), value, np.uint8)
    assert len(choose(mask, SIDE, most, np.random.default_rng(0))) == expected


@pytest.mark.parametrize(("shape", "expected"), [((64, 20_000), (64, 96)), ((20_000, 64), (96, 64)), ((5, 7), (5, 7))])
def test_a_thinned_strip_keeps_its_short_side(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    rows, columns = thinned(np.zeros(shape, np.uint8)).shape
    assert expected[0] - 2 <= rows <= expected[0]
    assert expected[1] - 2 <= columns <= expected[1]


def test_a_project_gives_tiles_of_the_pictures_own_pixels(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for number, shape in enumerate([(150, 200), (150, 200), (64, 64), (30, 100)]):
        Image.fromarray(random.integers(0, 256, (*shape, 3)).astype(np.uint8)).save(tmp_path / f"images/p{number}.png")
        Image.fromarray(random.random(shape) < 0.1).save(tmp_path / f"masks/p{number}.png")
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    examples = read_pairs(folders, Cutting(SIDE, tiles=5, seed=7), 2, lambda fraction: None)
    assert examples.owners.tolist() == [0] * 5 + [1] * 5 + [2] + [3] * 2
    assert examples.rows_of([0, 2]) == [0, 1, 2, 3, 4, 10]
    with whole_pair(folders, folders.pairs[0], SIDE) as (picture, mask):
        assert picture.shape == (150, 200, 3)
        cut = {(picture[tile.window].tobytes(), mask[tile.window].tobytes()) for tile in tiles(150, 200, SIDE)}
        np.testing.assert_array_equal(examples.thinned[0], mask[1::2, 1::3])  # at most 96 of each
    assert {(p.tobytes(), m.tobytes()) for p, m in zip(examples.pictures[:5], examples.masks[:5], strict=True)} < cut
    assert [mask.shape for mask in examples.thinned] == [(75, 67), (75, 67), (64, 64), (64, 50)]
    again = read_pairs(
        scan_mask_folders(UserFiles.at(tmp_path)), Cutting(SIDE, tiles=5, seed=7), 1, lambda fraction: None
    )
    np.testing.assert_array_equal(again.pictures, examples.pictures)
    other = read_pairs(
        scan_mask_folders(UserFiles.at(tmp_path)), Cutting(SIDE, tiles=5, seed=8), 1, lambda fraction: None
    )
    assert (other.pictures != examples.pictures).any()


def test_of_many_pictures_fewer_tiles_are_taken() -> None:
    assert Cutting(224).fitting(16, pairs=100) == 16
    assert Cutting(224).fitting(16, pairs=1000) == 5
    assert Cutting(512).fitting(16, pairs=100_000) == 1
