"""What the values of a set's masks mean: decided for all masks together, from their pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFilter

from protocol.data_report import Severity
from protocol.errors import TrainingError
from tests.drawn_masks import (
    HEIGHT,
    SETS,
    WIDTH,
    Writer,
    array_of,
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
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.classes import FOREGROUND_OR_NOT, UNLABELLED, UnknownClassError
from trainer_worker.segmentation.mask_rule import MaskRule
from trainer_worker.segmentation.mask_values import Reading
from trainer_worker.segmentation.masks import read_mask


def as_jpeg(image: Image.Image, quality: int = 60) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def noisy(mask: np.ndarray, path: Path, number: int) -> None:
    saved(as_jpeg(grey(mask)), path)


def noisy_colour(mask: np.ndarray, path: Path, number: int) -> None:
    saved(as_jpeg(colours(mask, (0, 0, 0), (200, 40, 40)), 85), path)


def white_page(mask: np.ndarray, path: Path, number: int) -> None:
    saved(as_jpeg(colours(mask, (255, 255, 255), (200, 40, 40)), 90), path)


def a_jpeg(mask: np.ndarray, path: Path, number: int) -> None:
    grey(mask).save(path.with_suffix(".jpg"), quality=50)


def soft(mask: np.ndarray, path: Path, number: int) -> None:
    saved(grey(mask).filter(ImageFilter.GaussianBlur(1)), path)


def trimap_of_two(mask: np.ndarray, path: Path, number: int) -> None:
    saved(grey(mask, 2, 1), path)


def trimap_of_pets(mask: np.ndarray, path: Path, number: int) -> None:
    saved(Image.fromarray(np.where(mask, 1, np.where(disc(number, 5), 3, 2)).astype(np.uint8)), path)


def mostly_pets(mask: np.ndarray, path: Path, number: int) -> None:
    """The object is larger than the background."""
    near = disc(number, 26)
    saved(Image.fromarray(np.where(mask, 2, np.where(near & ~disc(number, 6), 1, 3)).astype(np.uint8)), path)


def voc_void(mask: np.ndarray, path: Path, number: int) -> None:
    indexes = np.where(mask, 15, np.where(disc(number, 5), 255, 0))
    saved(palette(indexes, [channel for index in range(256) for channel in voc_colour(index)]), path)


def grey_void(mask: np.ndarray, path: Path, number: int) -> None:
    saved(Image.fromarray(np.where(mask, 1, np.where(disc(number, 4), 255, 0)).astype(np.uint8)), path)


def white_first(mask: np.ndarray, path: Path, number: int) -> None:
    saved(palette(~mask, [255, 255, 255, 0, 0, 0]), path)


def mixed_order(mask: np.ndarray, path: Path, number: int) -> None:
    first = [255, 255, 255, 0, 0, 0]
    saved(palette(~mask, first) if number % 2 else palette(mask, first[3:] + first[:3]), path)


def red_on_white(mask: np.ndarray, path: Path, number: int) -> None:
    saved(palette(mask, [255, 255, 255, 200, 0, 0]), path)


def alpha(mask: np.ndarray, path: Path, number: int) -> None:
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[..., 3] = np.where(mask, 255, 0)
    saved(Image.fromarray(pixels), path)


def strokes(mask: np.ndarray, path: Path, number: int) -> None:
    """Black on nothing: transparent pixels have another colour."""
    pixels = np.full((*mask.shape, 4), 255, np.uint8)
    pixels[mask] = (0, 0, 0, 255)
    pixels[..., 3] = np.where(mask, 255, 0)
    saved(Image.fromarray(pixels), path)


def fractions(mask: np.ndarray, path: Path, number: int) -> None:
    random = np.random.default_rng(number).uniform(0, 0.4, mask.shape)
    Image.fromarray(np.where(mask, 1 - random, random).astype(np.float32)).save(path.with_suffix(".tif"))


def whites_of_two_depths(mask: np.ndarray, path: Path, number: int) -> None:
    saved(grey(mask, 0, 1 if number % 2 else 255), path)


def one_bit(mask: np.ndarray, path: Path, number: int) -> None:
    saved(Image.fromarray(mask), path)


BINARY: dict[str, tuple[Writer, float]] = {  # and the share of the pixels that may be wrong
    "noise of JPEG in PNG": (noisy, 0.002),
    "noise around a colour": (noisy_colour, 0.01),
    "noise on a white page": (white_page, 0.01),
    "JPEG": (a_jpeg, 0.002),
    "soft edges": (soft, 0.002),
    "1 and 2": (trimap_of_two, 0),
    "trimap of pets": (trimap_of_pets, 0),
    "rim in a palette": (voc_void, 0),
    "rim of 255": (grey_void, 0),
    "white is index 0": (white_first, 0),
    "order of palettes mixed": (mixed_order, 0),
    "red on white": (red_on_white, 0),
    "alpha": (alpha, 0),
    "black strokes on nothing": (strokes, 0),
    "probabilities": (fractions, 0),
    "1 here, 255 there": (whites_of_two_depths, 0),
    "one bit": (one_bit, 0),
    "NumPy bool": (array_of("bool"), 0),
    "NumPy int64": (array_of("int64"), 0),
    "NumPy uint16, big-endian": (array_of(">u2"), 0),
    "NumPy float64": (array_of("float64"), 0),
}


@pytest.mark.parametrize("kind", BINARY)
def test_two_kinds_of_pixels_are_foreground_and_background_and_the_rule_is_said(tmp_path: Path, kind: str) -> None:
    write, most_wrong = BINARY[kind]
    folders, examples = read(project(tmp_path, write))
    assert len(examples.pictures) == SETS, folders.skipped
    assert max(wrong_share(examples, number) for number in range(SETS)) <= most_wrong
    said = [found for found in folders.findings if found.code == "mask_values"]
    assert len(said) == 1
    assert said[0].sentence == folders.rule.sentence
    assert said[0].count == SETS
    rims = {"trimap of pets", "rim in a palette", "rim of 255"}
    assert ("unlabelled" in said[0].sentence) == (kind in rims)
    assert (examples.masks == UNLABELLED).any() == (kind in rims)
    assert said[0].severity is (Severity.WARNING if kind == "1 here, 255 there" else Severity.INFO)


def test_the_animal_of_a_pets_trimap_is_the_foreground_even_if_it_is_larger(tmp_path: Path) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        saved(Image.fromarray(np.where(disc(number, 30), np.where(disc(number, 25), 1, 3), 2).astype(np.uint8)), path)

    _, examples = read(project(tmp_path, write))
    assert (examples.masks == 1).mean() > (examples.masks == 0).mean() / 2
    np.testing.assert_array_equal(examples.masks[2] == 1, scaled(disc(2, 25)) == 1)


def test_thin_lines_with_soft_edges_are_cut_at_half(tmp_path: Path) -> None:
    """No line has an inside, so nothing but the background has an area."""

    def write(mask: np.ndarray, path: Path, number: int) -> None:
        line = np.zeros((HEIGHT, WIDTH), np.uint8)
        for column in range(WIDTH):
            row = 20 + number + column // 3
            line[row, column], line[row + 1, column] = 255 - column % 40, 60 + column % 50
        saved(Image.fromarray(line), path)

    folders, examples = read(project(tmp_path, write))
    assert folders.rule.takes_nearest
    assert 0.005 < examples.masks.mean() < 0.015


def test_a_third_rare_value_along_edges_is_unlabelled_with_a_warning(tmp_path: Path) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        saved(Image.fromarray(np.where(mask, 1, np.where(disc(number, 3), 2, 0)).astype(np.uint8)), path)

    folders, examples = read(project(tmp_path, write))
    assert set(np.unique(examples.masks)) == {0, 1, UNLABELLED}
    assert [found.severity for found in folders.findings] == [Severity.WARNING]


STOPS: dict[str, tuple[Writer, str, str]] = {
    "two kinds of object": (
        lambda mask, path, number: saved(grey(mask, 0, 1 + number % 2), path),
        "bad_classes",
        r"3 kinds of pixels.*0 \(.*%\).*This one would fit, with names of your own:\nbackground\nclass_1\nclass_2\n",
    ),
    "numbers beyond the list's": (
        lambda mask, path, number: saved(grey(mask, 0, (100, 200)[number % 2]), path),
        "bad_classes",
        r"\nbackground 0 0 0\nclass_1 100 100 100\nclass_2 200 200 200\n",
    ),
    "two colours": (
        lambda mask, path, number: saved(colours(mask, (0, 0, 0), ((176, 112, 32), (48, 112, 32))[number % 2]), path),
        "bad_classes",
        r"colour 176 112 32 \(.*\nbackground 0 0 0\nclass_1 48 112 32\nclass_2 176 112 32\n",
    ),
    "255 that fills areas": (
        lambda mask, path, number: saved(
            Image.fromarray(np.where(mask, 1, np.where(np.arange(WIDTH) > 110, 255, 0)).astype(np.uint8)), path
        ),
        "bad_classes",
        "3 kinds of pixels",
    ),
    "nothing but foreground": (
        lambda mask, path, number: saved(grey(mask, 255, 255), path),
        "bad_masks",
        "In all 8 masks every pixel is foreground",
    ),
    "two values as frequent": (
        lambda mask, path, number: saved(grey(np.arange(WIDTH)[None].repeat(HEIGHT, 0) < 64, 1, 2), path),
        "bad_masks",
        "nothing tells which one is the object",
    ),
    "photos": (
        lambda mask, path, number: saved(
            Image.fromarray(np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)), path
        ),
        "bad_masks",
        "look like photos",
    ),
    "sides swapped": (
        lambda mask, path, number: saved(grey(mask.T), path),
        "bad_masks",
        r"8 of 8 masks have another shape.*masks/p0.png \(96 x 128 for 128 x 96\).*sides are swapped",
    ),
    "cropped": (
        lambda mask, path, number: saved(grey(mask[:, : WIDTH - 4 * (number == 3)]), path),
        "bad_masks",
        r"1 of 8 masks have another shape than their pictures: masks/p3.png \(124 x 96 for 128 x 96\)",
    ),
}


@pytest.mark.parametrize("what", STOPS)
def test_what_can_be_read_in_several_ways_stops_and_says_what_to_do(tmp_path: Path, what: str) -> None:
    write, code, words = STOPS[what]
    with pytest.raises(TrainingError, match=f"(?s){words}") as caught:
        read(project(tmp_path, write))
    assert caught.value.code == code


def test_masks_of_half_the_size_are_scaled_though_their_sides_were_rounded(tmp_path: Path) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        saved(grey(mask).resize((13, 10), Image.Resampling.NEAREST), path)

    assert len(read(project(tmp_path, write))[1].pictures) == SETS


def test_a_mask_of_the_unturned_picture_is_turned_with_it(tmp_path: Path) -> None:
    project(tmp_path, lambda mask, path, number: saved(grey(mask), path))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for number in range(SETS):
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "images" / f"p{number}.png", exif=exif)
    _, examples = read(tmp_path)
    np.testing.assert_array_equal(examples.masks[1], scaled(np.rot90(disc(1), -1)))


def test_more_numbers_than_classes_can_be_are_objects(tmp_path: Path) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        blocks = np.zeros((HEIGHT, WIDTH), np.uint16)
        for count in range(70 + number):
            row, column = 6 * (count // 10), 10 * (count % 10)
            blocks[row : row + 4, column : column + 6] = count + 1
        saved(Image.fromarray(blocks), path)

    folders, examples = read(project(tmp_path, write))
    assert set(np.unique(examples.masks)) == {0, 1}
    assert "number their objects, from 1 to 77" in folders.findings[0].sentence


def test_empty_and_full_masks_and_swapped_ones_are_named(tmp_path: Path) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        saved(grey(np.full_like(mask, number == 2) if number in (1, 2) else ~mask), path)

    folders, _ = read(project(tmp_path, write))
    found = {each.code: each for each in folders.findings}
    assert found["masks_empty"].files == ("masks/p1.png",)
    assert found["masks_full"].files == ("masks/p2.png",)
    assert "masks_mostly_foreground" not in found  # one of eight is empty
    write_others = [each for each in (tmp_path / "masks").iterdir() if each.name == "p1.png"]
    saved(grey(~disc(1)), write_others[0].with_suffix(""))
    assert "masks_mostly_foreground" in {each.code for each in read(tmp_path)[0].findings}


def test_a_value_that_came_after_the_survey_is_named(tmp_path: Path) -> None:
    saved(grey(disc(0), 0, 7), tmp_path / "changed")
    with pytest.raises(UnknownClassError, match="holds the value 7"):
        read_mask(
            PictureReader(UserFiles.at(tmp_path)),
            tmp_path / "changed.png",
            (32, 32),
            MaskRule(FOREGROUND_OR_NOT, Reading.NUMBERS, {0.0: 0, 1.0: 1}),
        )


def cut_out(mask: np.ndarray, path: Path, number: int) -> None:
    """What is left of a dark photo after its background was made transparent."""
    photo = np.random.default_rng(number).integers(0, 60, (*mask.shape, 3)).astype(np.uint8)
    saved(Image.fromarray(np.dstack([photo, np.where(mask & (number != 3), 255, 0).astype(np.uint8)])), path)


def opaque(mask: np.ndarray, path: Path, number: int) -> None:
    empty = np.zeros((*mask.shape, 3), np.uint8)
    saved(Image.fromarray(np.dstack([empty, np.where(mask & (number != 3), 255, 0).astype(np.uint8)])), path)


@pytest.mark.parametrize("write", [cut_out, opaque])
def test_what_is_opaque_is_foreground_and_a_transparent_mask_is_empty(tmp_path: Path, write: Writer) -> None:
    folders, examples = read(project(tmp_path, write))
    assert all(wrong_share(examples, number) == 0 for number in range(SETS) if number != 3)
    assert not examples.masks[3].any()
    assert [each.files for each in folders.findings if each.code == "masks_empty"] == [("masks/p3.png",)]
    assert "masks_full" not in {each.code for each in folders.findings}


def test_255_beside_numbers_of_classes_is_left_out_of_the_list_that_fits(tmp_path: Path) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        values = np.where(mask, 1 + number % 3, np.where(disc(number, 3), 255, 0))
        saved(Image.fromarray(values.astype(np.uint8)), path)

    with pytest.raises(TrainingError) as caught:
        read(project(tmp_path, write))
    assert "\nbackground\nclass_1\nclass_2\nclass_3\n255 then counts as unlabelled." in caught.value.error


def test_the_background_of_jpegs_is_not_called_0_if_it_is_not(tmp_path: Path) -> None:
    def write(mask: np.ndarray, path: Path, number: int) -> None:
        saved(as_jpeg(grey(mask, 2), 90), path)

    folders, _ = read(project(tmp_path, write))
    assert "background the value 2: the darker of the two is the background" in folders.rule.sentence
