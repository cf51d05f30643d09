"""classes.txt, and masks whose values are class numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protocol.errors import TrainingError
from tests.picture_reading import read_mask
from trainer_worker.layouts.layout import MAX_CLASSES
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.classes import (
    FOREGROUND_OR_NOT,
    MaskClasses,
    pictures_with,
    rarest_class,
    read_classes,
)
from trainer_worker.segmentation.folders import Cutting, read_pairs, scan_mask_folders
from trainer_worker.segmentation.scores import score_class_masks

SHAPE = (12, 16)
CLASSES = MaskClasses(("background", "road", "tree"), listed=True)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "classes.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


@pytest.fixture
def numbers() -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[1:5, 2:9] = 1
    mask[6:11, 4:6] = 2
    mask[5, :] = 255
    return mask


def test_without_a_list_masks_mean_foreground_or_not(tmp_path: Path) -> None:
    assert read_classes(UserFiles.at(tmp_path)) == FOREGROUND_OR_NOT
    assert FOREGROUND_OR_NOT.channels == 1


@pytest.mark.parametrize(
    "content", ["sky\nBäume\nroad, wet\n", "\ufeffsky\r\n Bäume \r\nroad, wet\r\n\r\n\n", "sky\nBa\u0308ume\nroad, wet"]
)
def test_the_list_is_read_line_by_line(tmp_path: Path, content: str) -> None:
    classes = read_classes(UserFiles.at(write(tmp_path, content)))
    assert classes == MaskClasses(("sky", "Bäume", "road, wet"), listed=True)
    assert classes.channels == 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        ("background\n", "lists 'background' only"),
        ("a\n\nb\n", "nothing in line 2"),
        ("a\nb\nb\n", "'b' in line 3 and before"),
        ("name,index\na,0\nb,1\n", "'a,0' in line 2; write 'a' alone"),
        ("a 1 2 256\nb,1,2\n", "'b,1,2' in line 2; write 'b,1' alone"),
        ("a\nb\x00\n", "no class name in line 2"),
        ("a\n" + "b" * 101, "no class name in line 2"),
        ("a\nb".encode("utf-16"), "not UTF-8"),
        ("Straße\nBäume".encode("latin-1"), "not UTF-8 text"),
        ("".join(f"class {number}\n" for number in range(MAX_CLASSES + 1)), "lists 65 classes; 64 are possible"),
        ("x" * 70_000, "larger than 64 kB"),
    ],
)
def test_a_list_that_is_none_fails_in_words(tmp_path: Path, content: str | bytes, words: str) -> None:
    with pytest.raises(TrainingError) as caught:
        read_classes(UserFiles.at(write(tmp_path, content)))
    assert caught.value.code == "bad_classes"
    assert words in caught.value.error
    assert "one class name a line" in caught.value.error


def test_a_list_outside_of_the_project_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "secret.txt").write_text("a\nb\n")
    (tmp_path / "project" / "classes.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(TrainingError, match="link that leads out of the project"):
        read_classes(UserFiles.at(tmp_path / "project"))


def palette(numbers: np.ndarray) -> Image.Image:
    image = Image.fromarray(numbers, "L").copy()
    image.putpalette([255, 255, 255] * 200 + [7, 0, 0] * 56)  # colours that say nothing, and some twice
    return image


STORED: dict[str, Callable[[np.ndarray], Image.Image]] = {
    "palette.png": palette,
    "palette.gif": palette,
    "palette.bmp": palette,
    "grey.png": Image.fromarray,
    "grey.tif": Image.fromarray,
    "grey_16bit.png": lambda m: Image.fromarray(m.astype(np.uint16)),
    "grey_32bit.tif": lambda m: Image.fromarray(m.astype(np.int32)),
    "float.tif": lambda m: Image.fromarray(m.astype(np.float32)),
    "rgb_of_greys.png": lambda m: Image.fromarray(np.stack([m] * 3, axis=-1)),
    "grey_alpha.png": lambda m: Image.fromarray(np.stack([m, np.full_like(m, 255)], axis=-1)),
    "transparent_background.png": lambda m: Image.fromarray(
        np.stack([np.where(m, m, 9), np.where(m, 255, 0).astype(np.uint8)], axis=-1).astype(np.uint8)
    ),
}


@pytest.mark.parametrize("name", STORED)
def test_every_kind_of_numbered_mask_reads_as_its_numbers(name: str, tmp_path: Path, numbers: np.ndarray) -> None:
    STORED[name](numbers).save(tmp_path / name, optimize=False)  # else Pillow numbers the colours of a GIF anew
    np.testing.assert_array_equal(read_mask(tmp_path / name, SHAPE, classes=CLASSES), numbers)


def test_white_of_one_bit_is_class_one(tmp_path: Path, numbers: np.ndarray) -> None:
    Image.fromarray(numbers == 1).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", SHAPE, classes=CLASSES), numbers == 1)


def test_scaling_makes_no_number_that_was_not_there(tmp_path: Path) -> None:
    """Anything but nearest neighbour would find class 1 between 0 and 2."""
    stripes = np.where(np.arange(40)[None] % 4 < 2, 0, 2).astype(np.uint8).repeat(30, axis=0)
    Image.fromarray(stripes).save(tmp_path / "mask.png")
    for size in ((7, 9), (64, 96), (23, 31)):
        assert set(np.unique(read_mask(tmp_path / "mask.png", size, classes=CLASSES))) == {0, 2}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_a_value_that_is_no_class_is_named(tmp_path: Path, numbers: np.ndarray, dtype: Any) -> None:
    numbers[0, 0], numbers[0, 1] = 3, 7
    Image.fromarray(numbers.astype(dtype)).save(tmp_path / "mask.tif")
    with pytest.raises(TrainingError, match="holds the values 3, 7"):
        read_mask(tmp_path / "mask.tif", (3, 3), classes=CLASSES)  # also where scaling would drop the pixels


@pytest.mark.parametrize(("name", "word"), [("p1.jpg", "JPEG"), ("p1.png", "colour")])
def test_masks_that_cannot_hold_numbers_are_skipped_among_others(
    tmp_path: Path, numbers: np.ndarray, name: str, word: str
) -> None:
    folders = scan_mask_folders(UserFiles.at(project(tmp_path, [numbers] * 5)))
    (tmp_path / "masks" / "p1.png").unlink()
    noise = np.random.default_rng(0).integers(0, 3, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(noise[..., 0] if name.endswith("jpg") else noise).save(tmp_path / "masks" / name)
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    read_pairs(folders, Cutting(64), 2, lambda fraction: None)
    assert [(skip.file, word in skip.reason) for skip in folders.skipped] == [(f"masks/{name}", True)]


def project(root: Path, masks: list[np.ndarray]) -> Path:
    write(root, "background\nroad\ntree\n")
    for name in ("images", "masks"):
        (root / name).mkdir()
    for number, mask in enumerate(masks):
        Image.fromarray(mask.repeat(4, 0).repeat(4, 1)).save(root / "masks" / f"p{number}.png")
        Image.new("RGB", (16, 12), (number, 90, 90)).save(root / "images" / f"p{number}.png")
    return root


def test_a_project_with_a_list_gives_numbers_and_skips_masks_without_any_label(
    tmp_path: Path, numbers: np.ndarray
) -> None:
    folders = scan_mask_folders(
        UserFiles.at(project(tmp_path, [numbers, numbers, np.full_like(numbers, 255), numbers, np.zeros_like(numbers)]))
    )
    assert folders.classes == MaskClasses(("background", "road", "tree"), listed=True)
    masks = read_pairs(folders, Cutting(64), 2, lambda fraction: None).masks
    assert set(np.unique(masks)) == {0, 1, 2, 255}
    assert [pair.mask_file(folders.reader).stem for pair in folders.pairs] == ["p0", "p1", "p3", "p4"]
    assert [(skip.file, "every pixel is 255" in skip.reason) for skip in folders.skipped] == [("masks/p2.png", True)]
    assert pictures_with(masks, 3)[:, 1:].any(axis=1).tolist() == [True, True, True, False]


def test_wrong_values_fail_the_task_and_name_file_and_value(tmp_path: Path, numbers: np.ndarray) -> None:
    folders = scan_mask_folders(
        UserFiles.at(project(tmp_path, [numbers, numbers + (numbers == 2) * np.uint8(5), numbers, numbers]))
    )
    with pytest.raises(TrainingError) as caught:
        read_pairs(folders, Cutting(64), 2, lambda fraction: None)
    assert caught.value.code == "bad_classes"
    assert "masks/p1.png holds the value 7" in caught.value.error
    assert "0 to 2 ('background' to 'tree')" in caught.value.error


def test_masks_of_background_and_unlabelled_pixels_are_no_foreground(tmp_path: Path, numbers: np.ndarray) -> None:
    folders = scan_mask_folders(
        UserFiles.at(project(tmp_path, [np.where(numbers == 255, 255, 0).astype(np.uint8)] * 4))
    )
    with pytest.raises(TrainingError, match="every pixel is 0 or 255") as caught:
        read_pairs(folders, Cutting(64), 2, lambda fraction: None)
    assert caught.value.code == "no_masks"


def test_pictures_are_split_by_the_rarest_class_that_they_show() -> None:
    masks = np.array([[[0, 1]], [[1, 2]], [[0, 255]], [[1, 1]], [[0, 1]]], np.uint8)
    assert pictures_with(masks, 3).tolist() == [
        [True, True, False], [False, True, True], [True, False, False], [False, True, False], [True, True, False],
    ]  # fmt: skip
    assert rarest_class(pictures_with(masks, 3)).tolist() == [1, 2, 0, 1, 1]


def test_scores_of_classes_worked_out_by_hand() -> None:
    truth = np.array([[[0, 1, 1, 255]], [[0, 2, 1, 0]]], np.uint8)
    predicted = np.array([[[0, 1, 0, 2]], [[0, 2, 2, 1]]], np.uint8)
    scores = score_class_masks(truth, predicted, ["background", "road", "tree"])
    assert scores.confusion == [[2, 1, 0], [1, 1, 1], [0, 0, 1]]
    # First picture: road 2·1/(2+1), no tree in the truth. Second: road 0, tree 2·1/(1+2).
    assert scores.dice_per_image == pytest.approx([2 / 3, (0 + 2 / 3) / 2])
    assert scores.iou == pytest.approx((1 / 2 + (0 + 1 / 2) / 2) / 2)
    assert scores.per_class["road"] == pytest.approx({"dice": 2 / 5, "iou": 1 / 4, "pixels": 3})
    assert scores.per_class["tree"]["dice"] == pytest.approx(2 / 3)
    assert scores.dice_all_pixels == pytest.approx((2 / 5 + 2 / 3) / 2)
    assert scores.pixel_accuracy == pytest.approx(4 / 7)


def test_what_is_predicted_for_unlabelled_pixels_changes_no_score() -> None:
    random = np.random.default_rng(0)
    truth = random.choice(np.array([0, 1, 2, 255], np.uint8), (3, 20, 20))
    predicted = random.integers(0, 3, truth.shape)
    otherwise = np.where(truth == 255, (predicted + 1) % 3, predicted)
    names = ["background", "road", "tree"]
    assert score_class_masks(truth, predicted, names) == score_class_masks(truth, otherwise, names)
    other = np.where(truth == 0, (predicted + 1) % 3, predicted)
    assert score_class_masks(truth, predicted, names) != score_class_masks(truth, other, names)


@pytest.mark.parametrize("text", ["0 background\n1 road\n", "0: background\n1: road", "0) background\n1) road\n"])
def test_numbers_before_the_names_are_no_part_of_them(tmp_path: Path, text: str) -> None:
    assert read_classes(UserFiles.at(write(tmp_path, text))).names == ("background", "road")


def test_a_list_that_is_numbered_from_1_lacks_the_background(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="numbers its lines from 1, and so it lacks 0, the background"):
        read_classes(UserFiles.at(write(tmp_path, "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n")))
    assert read_classes(UserFiles.at(write(tmp_path, "background\n2 storeys\n"))).names == ("background", "2 storeys")
