"""The pictures of report.html: small, bounded in number and work, and the right ones; masks over their photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report_reading import pixels_of
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.small_jpegs import shown_size
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.reporting import picture_book
from trainer_worker.reporting.blocks import Picture
from trainer_worker.reporting.overlays import EXTRA, MISSED, MOST_OVERLAYS, Overlay, colour_of, pick
from trainer_worker.reporting.picture_book import MOST_CHARS, SIDE_PX, PictureBook

RED, GREEN = (200, 30, 30), (30, 200, 30)


def book(folder: Path) -> PictureBook:
    return PictureBook(PictureReader(UserFiles.at(folder)), 2)


def save(folder: Path, name: str, size: tuple[int, int], colour: tuple[int, int, int]) -> str:
    Image.new("RGB", size, colour).save(folder / name)
    return name


def test_pictures_are_small_copies_in_the_order_asked_for(tmp_path: Path) -> None:
    wide = save(tmp_path, "wide.jpg", (1000, 500), RED)
    small = save(tmp_path, "small.png", (40, 60), GREEN)

    first, second, again = book(tmp_path).pictures([wide, small, wide])

    assert pixels_of(first.source).shape == (SIDE_PX // 2, SIDE_PX, 3)
    assert (first.width_px, first.height_px) == (SIDE_PX, SIDE_PX // 2)
    assert np.abs(pixels_of(first.source).mean(axis=(0, 1)) - RED).max() < 6
    assert pixels_of(second.source).shape == (60, 40, 3)
    assert np.abs(pixels_of(second.source).mean(axis=(0, 1)) - GREEN).max() < 6
    assert again == first


def test_a_picture_that_is_turned_by_exif_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (80, 40), RED).save(tmp_path / "turned.jpg", exif=exif)

    (shown,) = book(tmp_path).pictures(["turned.jpg"])

    assert (shown.width_px, shown.height_px) == (40, 80)


def test_files_that_are_gone_or_lead_outside_are_not_shown(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    save(tmp_path, "secret.png", (9, 9), RED)
    (project / "link.png").symlink_to(tmp_path / "secret.png")
    (project / "broken.jpg").write_bytes(b"no picture")

    assert book(project).pictures(["gone.jpg", "../secret.png", "link.png", "broken.jpg"]) == [Picture()] * 4


def test_the_page_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for number in range(5):
        noise = rng.integers(0, 255, (SIDE_PX, SIDE_PX, 3)).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{number}.png")
    names = [f"{number}.png" for number in range(5)]
    sizes = [len(picture.source) for picture in book(tmp_path).pictures(names)]
    monkeypatch.setattr(picture_book, "MOST_CHARS", sum(sizes[:3]))

    assert [bool(picture.source) for picture in book(tmp_path).pictures(names)] == [True, True, True, False, False]
    assert MOST_CHARS * 1.4 < 3_000_000


def test_the_work_has_an_end_and_jpegs_cost_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jpeg = [save(tmp_path, f"{number}.jpg", (100, 100), RED) for number in range(3)]
    png = save(tmp_path, "0.png", (100, 100), RED)
    monkeypatch.setattr(picture_book, "MOST_PIXELS", 25_000)

    shown = book(tmp_path).pictures([png, *jpeg])

    assert [bool(picture.source) for picture in shown] == [False, True, True, False]


@pytest.mark.parametrize("size", [(1, 5000), (5000, 1), (3, 2)])
def test_every_shape_can_be_shown(size: tuple[int, int]) -> None:
    height, width = shown_size(*size, SIDE_PX)

    assert 1 <= height <= max(size)
    assert 1 <= width <= SIDE_PX
    assert height <= SIDE_PX


def overlay(truth: list[list[int]], predicted: list[list[int]]) -> Overlay:
    true, found = np.array(truth, np.uint8), np.array(predicted, np.uint8)
    return Overlay("a.png", 0.5, np.full((*true.shape, 3), 100, np.uint8), true, found)


def test_differences_are_what_was_missed_and_what_was_added() -> None:
    shown = overlay([[0, 1, 1, 2, 255, 255]], [[1, 0, 1, 1, 1, 0]])

    difference = shown.difference()[0].astype(int)
    grey = difference[2]
    assert np.array_equal(difference[4], grey)  # unlabelled pixels don't count
    assert np.array_equal(difference[5], grey)
    for pixel, colour in ((0, EXTRA), (1, MISSED), (3, MISSED)):  # class 2 taken for 1 was missed
        assert np.abs(difference[pixel] - np.array(colour) * 0.85 - 0.15 * grey).max() <= 1


def test_masks_are_tinted_by_class_and_unlabelled_pixels_are_not() -> None:
    shown = overlay([[0, 1, 2, 255]], [[0, 0, 0, 0]])

    pixels = shown.with_truth()[0].astype(float)
    assert pixels[0].tolist() == pixels[3].tolist() == [100, 100, 100]
    for number in (1, 2):
        assert np.abs(pixels[number] - (40 + 0.6 * np.array(colour_of(number)))).max() <= 1
    assert shown.with_prediction().tolist() == shown.picture.tolist()


def test_a_square_gets_its_files_shape_back() -> None:
    truth = np.zeros((50, 50), np.uint8)
    truth[:, 25:] = 3
    shown = Overlay("a.png", 0.5, np.zeros((50, 50, 3), np.uint8), truth, truth).scaled((300, 900))

    assert shown.picture.shape == (67, 200, 3)
    assert shown.truth.shape == shown.predicted.shape == (67, 200)
    assert set(np.unique(shown.truth)) == {0, 3}
    assert (shown.truth[:, 150] == 3).all()


def test_the_worst_and_the_middle_are_picked() -> None:
    scores = [0.9, 0.1, 0.5, 0.8, 0.3, 0.7, 0.2, 0.6, 0.4, 1.0]

    picked = [scores[position] for position in pick(scores)]
    assert picked == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert len(picked) == MOST_OVERLAYS
    assert pick([0.5]) == [0]
    assert pick([0.5, 0.4]) == [1, 0]
    assert len(set(pick([0.3] * 5))) == len(pick([0.3] * 5))
