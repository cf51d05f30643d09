"""Pairing pictures with masks, and reading every kind of mask as 0 and 1."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from sklearn.datasets import load_sample_images

from protocol.errors import TrainingError
from tests.picture_reading import read_mask
from trainer_worker.pictures.images import UnreadableImageError
from trainer_worker.segmentation.folders import DECODE_BATCH, Cutting, read_pairs, scan

SHAPE = (20, 30)  # height, width


@pytest.fixture
def foreground() -> np.ndarray:
    """A shape without symmetry, so that a turn or a mirror shows."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:9, 3:12] = 1
    mask[12:18, 20:22] = 1
    return mask


def photo(path: Path, shape: tuple[int, int] = SHAPE, orientation: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = shape
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(load_sample_images().images[0][:height, :width]).save(path, exif=exif)
    return path


def save(path: Path, mask: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask * np.uint8(255)).save(path)
    return path


def palette_image(indexes: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.fromarray(indexes, "L").copy()
    image.putpalette(colours)
    return image


def rgba(foreground: np.ndarray, alpha: np.ndarray | int) -> Image.Image:
    pixels = np.zeros((*foreground.shape, 4), np.uint8)
    pixels[..., 2] = foreground * 200
    pixels[..., 3] = alpha
    return Image.fromarray(pixels)


# Each case: file name, and how the mask of 0 and 1 is stored in it.
CASES = {
    "bit.png": lambda m: Image.fromarray(m.astype(bool)),
    "bit.bmp": lambda m: Image.fromarray(m.astype(bool)),
    "bit.tif": lambda m: Image.fromarray(m.astype(bool)),
    "grey_255.png": lambda m: Image.fromarray(m * np.uint8(255)),
    "grey_1.png": lambda m: Image.fromarray(m),
    "grey_1.bmp": lambda m: Image.fromarray(m),
    "grey.gif": lambda m: Image.fromarray(m * np.uint8(255)),
    "instances_16bit.png": lambda m: Image.fromarray(m.astype(np.uint16) * np.uint16(256)),
    "instances_16bit.tif": lambda m: Image.fromarray(m.astype(np.uint16) * np.uint16(4096)),
    "instances_32bit.tif": lambda m: Image.fromarray(m.astype(np.int32) * 70000),
    "float.tif": lambda m: Image.fromarray(m.astype(np.float32) * np.float32(0.01)),
    "palette_all_black.png": lambda m: palette_image(m, [0, 0, 0, 0, 0, 0]),
    "palette_white_first.png": lambda m: palette_image(1 - m, [255, 255, 255, 0, 0, 0]),
    "palette_white_background.gif": lambda m: palette_image(m, [255, 255, 255, 255, 0, 0]),
    "palette_16_classes.bmp": lambda m: palette_image(m * np.uint8(15), [0, 0, 0] + [255, 255, 255] * 15),
    "rgb.png": lambda m: Image.fromarray(np.stack([m * 0, m * 128, m * 0], axis=-1).astype(np.uint8)),
    "rgba_opaque.png": lambda m: rgba(m, 255),
    "rgba_strokes_on_nothing.png": lambda m: rgba(m, m * np.uint8(255)),
    "rgba_alpha_all_zero.png": lambda m: rgba(m, 0),
    "grey_alpha.png": lambda m: Image.fromarray(m * np.uint8(255)).convert("LA"),
    "lossy.jpg": lambda m: Image.fromarray(m * np.uint8(255)),
    "lossy_cmyk.jpg": lambda m: Image.fromarray(m * np.uint8(255)).convert("CMYK"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_kind_of_mask_reads_as_the_same_zeros_and_ones(name: str, tmp_path: Path, foreground: np.ndarray) -> None:
    path = tmp_path / name
    CASES[name](foreground).save(path, quality=95)
    mask = read_mask(path, SHAPE)
    assert mask.dtype == np.uint8
    assert mask.shape == SHAPE
    np.testing.assert_array_equal(mask, foreground)


def test_a_palette_mask_is_read_by_its_indexes_if_its_colours_look_the_same(
    tmp_path: Path, foreground: np.ndarray
) -> None:
    path = tmp_path / "mask.png"
    palette_image(foreground, [9, 9, 9, 0, 0, 0]).save(path)
    np.testing.assert_array_equal(read_mask(path, SHAPE), foreground)


def test_a_mask_of_another_size_is_scaled_by_nearest_neighbour(tmp_path: Path, foreground: np.ndarray) -> None:
    path = save(tmp_path / "mask.png", foreground)
    larger = read_mask(path, (60, 90))
    np.testing.assert_array_equal(larger, foreground.repeat(3, axis=0).repeat(3, axis=1))
    assert set(np.unique(read_mask(path, (7, 5)))) <= {0, 1}


@pytest.mark.parametrize("name", ["mask.png", "mask.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_masks_own_exif_turn_is_honoured(
    tmp_path: Path, foreground: np.ndarray, orientation: int, name: str
) -> None:
    path = tmp_path / name
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(foreground).save(path, exif=exif)
    upright = {
        1: foreground,
        2: foreground[:, ::-1],
        3: foreground[::-1, ::-1],
        4: foreground[::-1],
        5: foreground.T,
        6: np.rot90(foreground, -1),
        7: np.rot90(foreground.T, 2),
        8: np.rot90(foreground),
    }[orientation]
    np.testing.assert_array_equal(read_mask(path, upright.shape), upright)


def test_a_mask_of_the_turned_picture_is_only_scaled(tmp_path: Path, foreground: np.ndarray) -> None:
    picture = photo(tmp_path / "picture.jpg", (60, 40), orientation=6)  # upright: 40 high, 60 wide
    mask = save(tmp_path / "mask.png", foreground)
    np.testing.assert_array_equal(read_mask(mask, SHAPE, picture), foreground)


def test_a_mask_drawn_on_the_unturned_picture_turns_with_it(tmp_path: Path, foreground: np.ndarray) -> None:
    picture = photo(tmp_path / "picture.jpg", SHAPE, orientation=6)  # upright: 30 high, 20 wide
    mask = save(tmp_path / "mask.png", foreground)
    np.testing.assert_array_equal(read_mask(mask, (30, 20), picture), np.rot90(foreground, -1))


@pytest.mark.parametrize("content", [b"", b"not a picture at all", None])
def test_an_unreadable_mask_says_so(tmp_path: Path, content: bytes | None, foreground: np.ndarray) -> None:
    path = tmp_path / "mask.png"
    if content is None:
        large = save(path, foreground.repeat(50, 0).repeat(50, 1)).read_bytes()
        content = large[: len(large) // 2]
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError) as caught:
        read_mask(path, SHAPE)
    assert caught.value.path == path
    assert caught.value.reason


def left_half() -> np.ndarray:
    return np.broadcast_to(np.arange(SHAPE[1]) < SHAPE[1] // 2, SHAPE).astype(np.uint8)


def project(root: Path, pairs: int, mask_folder: str = "masks", suffix: str = "_mask") -> Path:
    for number in range(pairs):
        photo(root / "images" / f"p{number}.jpg")
        save(root / mask_folder / f"p{number}{suffix}.png", left_half())
    return root


@pytest.mark.parametrize("mask_folder", ["masks", "labels"])
@pytest.mark.parametrize("suffix", ["_mask", ""])
def test_both_folders_and_both_names_pair_up(tmp_path: Path, mask_folder: str, suffix: str) -> None:
    folders = scan(project(tmp_path, 5, mask_folder, suffix))
    assert [(pair.picture.stem, pair.mask_file(folders.reader).stem) for pair in folders.pairs] == [
        (f"p{number}", f"p{number}{suffix}") for number in range(5)
    ]
    assert {pair.mask_file(folders.reader).parent.name for pair in folders.pairs} == {mask_folder}
    assert folders.skipped == []


def test_extensions_of_any_case_pair_up(tmp_path: Path) -> None:
    project(tmp_path, 4)
    photo(tmp_path / "images" / "LOUD.JPG")
    save(tmp_path / "masks" / "LOUD_mask.PNG", np.ones(SHAPE, np.uint8))
    assert "LOUD" in {pair.picture.stem for pair in scan(tmp_path).pairs}


def test_what_has_no_partner_is_listed_with_the_reason(tmp_path: Path) -> None:
    project(tmp_path, 4)
    photo(tmp_path / "images" / "lonely.jpg")
    save(tmp_path / "masks" / "orphan_mask.png", np.ones(SHAPE, np.uint8))
    skipped = {skip.file: skip.reason for skip in scan(tmp_path).skipped}
    assert set(skipped) == {"images/lonely.jpg", "masks/orphan_mask.png"}
    assert "no mask" in skipped["images/lonely.jpg"]
    assert "without a picture" in skipped["masks/orphan_mask.png"]


def test_two_pictures_never_share_one_mask(tmp_path: Path) -> None:
    project(tmp_path, 4)
    photo(tmp_path / "images" / "p0.png")
    with pytest.raises(TrainingError, match=r"images/p0\.jpg, images/p0\.png and masks/p0_mask\.png") as caught:
        scan(tmp_path)
    assert caught.value.code == "layout_unclear"


def test_a_picture_named_like_a_mask_does_not_take_anothers(tmp_path: Path) -> None:
    project(tmp_path, 4)
    photo(tmp_path / "images" / "p1_mask.jpg")
    folders = scan(tmp_path)
    pairs = {pair.picture.stem: pair.mask_file(folders.reader).stem for pair in folders.pairs}
    assert pairs["p1"] == "p1_mask"
    assert "p1_mask" not in pairs


def test_missing_folders_and_too_few_pairs_fail_in_words(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="holds no pictures") as caught:
        scan(tmp_path)
    assert caught.value.code == "no_images"
    for number in range(3):
        photo(tmp_path / "images" / f"p{number}.jpg")
    with pytest.raises(TrainingError, match=r"3 pictures in images/ but no masks for them\. Put one") as caught:
        scan(tmp_path)
    assert caught.value.code == "no_masks"
    save(tmp_path / "masks" / "other.png", np.ones(SHAPE, np.uint8))
    with pytest.raises(TrainingError, match=r"masks/other\.png.*images/p0\.jpg") as caught:
        scan(tmp_path)
    assert caught.value.code == "no_masks"
    project(tmp_path, 2)
    with pytest.raises(TrainingError, match=r"Only 2 pictures.*images/p2\.jpg") as caught:
        scan(tmp_path)
    assert caught.value.code == "too_few_images"


def test_scan_follows_a_linked_folder_within_the_project_only(tmp_path: Path) -> None:
    project(tmp_path / "source", 4)
    (tmp_path / "source" / "images").rename(tmp_path / "source" / "photos")
    (tmp_path / "source" / "images").symlink_to("photos")
    assert len(scan(tmp_path / "source").pairs) == 4
    (tmp_path / "linked").mkdir()
    for name in ("photos", "masks"):
        (tmp_path / "linked" / name.replace("photos", "images")).symlink_to(tmp_path / "source" / name)
    with pytest.raises(TrainingError, match="images: it is a link that leads out of the project"):
        scan(tmp_path / "linked")


def ignore(fraction: float) -> None: ...


def test_pairs_come_as_arrays_in_order_and_broken_files_are_listed(tmp_path: Path, foreground: np.ndarray) -> None:
    project(tmp_path, 6)
    (tmp_path / "images" / "p1.jpg").write_bytes(b"\xff\xd8 no more of it")
    (tmp_path / "masks" / "p3_mask.png").write_bytes(b"")
    save(tmp_path / "masks" / "p4_mask.png", foreground)
    folders = scan(tmp_path)
    fractions: list[float] = []
    examples = read_pairs(folders, Cutting(32), 2, fractions.append)
    pictures, masks = examples.pictures, examples.masks
    assert examples.owners.tolist() == [0, 1, 2, 3]
    assert [pair.picture.stem for pair in folders.pairs] == ["p0", "p2", "p4", "p5"]
    assert {skip.file for skip in folders.skipped} == {"images/p1.jpg", "masks/p3_mask.png"}
    assert all(skip.reason for skip in folders.skipped)
    assert pictures.shape == (4, 32, 32, 3)
    assert masks.shape == (4, 32, 32)
    assert masks[0].mean() == 0.5
    np.testing.assert_array_equal(masks[2], read_mask(tmp_path / "masks" / "p4_mask.png", (32, 32)))
    assert fractions[-1] == 1.0


def test_when_time_is_up_the_pairs_beyond_the_first_batch_stay_unread(tmp_path: Path) -> None:
    project(tmp_path, DECODE_BATCH + 4)
    folders = scan(tmp_path)
    examples = read_pairs(folders, Cutting(32), 2, ignore, until_s=time.monotonic())
    assert (len(examples.pictures), len(folders.pairs), examples.unread) == (DECODE_BATCH, DECODE_BATCH, 4)
    assert not folders.skipped
    in_time = read_pairs(scan(tmp_path), Cutting(32), 2, ignore, until_s=time.monotonic() + 3600)
    assert (len(in_time.pictures), in_time.unread) == (DECODE_BATCH + 4, 0)


def test_too_few_readable_pairs_fail_and_name_the_files(tmp_path: Path) -> None:
    project(tmp_path, 4)
    (tmp_path / "images" / "p2.jpg").write_bytes(b"broken")
    with pytest.raises(TrainingError, match=r"Only 3 pictures.*images/p2\.jpg") as caught:
        read_pairs(scan(tmp_path), Cutting(32), 2, ignore)
    assert caught.value.code == "too_few_images"


def test_masks_without_any_foreground_fail_in_words(tmp_path: Path) -> None:
    project(tmp_path, 4)
    for path in (tmp_path / "masks").iterdir():
        save(path, np.zeros(SHAPE, np.uint8))
    with pytest.raises(TrainingError, match="None of the 4 masks marks any foreground") as caught:
        read_pairs(scan(tmp_path), Cutting(32), 2, ignore)
    assert caught.value.code == "no_masks"


def test_what_people_take_for_pictures_is_named(tmp_path: Path) -> None:
    project(tmp_path, 4)
    (tmp_path / "images" / "scan.pdf").write_bytes(b"%PDF-1.4")
    (tmp_path / "notes.pdf").write_bytes(b"%PDF-1.4")
    assert {skip.file: skip.reason for skip in scan(tmp_path).skipped} == {
        "images/scan.pdf": "it is a PDF document; export its pages as PNG or JPEG"
    }
