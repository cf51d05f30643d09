"""Pictures and masks that are called by numbers, and folders of masks that are only assumed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from protocol.errors import TrainingError
from tests.project_trees import pictures, tree_of
from trainer_worker.layouts.layout import MaskFile, MaskLayout
from trainer_worker.layouts.masks import recognise_masks


def numbered(form: str, numbers: Iterable[int]) -> list[str]:
    return [form.format(number) for number in numbers]


def layout_of(*paths: Iterable[str]) -> MaskLayout:
    return recognise_masks(tree_of(*paths))


@pytest.mark.parametrize(
    ("picture", "mask", "first_mask"),
    [
        ("images/{}.jpg", "masks/{}.png", 0),
        ("images/img_{:03}.jpg", "masks/img_{:03}_mask.png", 2),
        ("images/{}.jpg", "masks/{}.png", 6),
        ("images/{}.jpg", "masks/{:04}.png", 0),
    ],
)
def test_shifted_numbers_never_train_in_silence(picture: str, mask: str, first_mask: int) -> None:
    files = numbered(picture, range(1, 13)), numbered(mask, range(first_mask, first_mask + 12))
    with pytest.raises(TrainingError, match=r"12 pictures from .* as many masks from .* whose numbers are") as error:
        layout_of(*files)
    assert error.value.code == "layout_unclear"
    assert "move the files without a partner out of the project" in error.value.error


def test_the_folder_without_the_files_that_have_no_partner_is_clear() -> None:
    assert (
        len(layout_of(numbered("images/{}.jpg", range(1, 12)), numbered("masks/{}.png", range(1, 12))).pictures) == 11
    )


def test_a_mask_that_is_missing_here_and_a_picture_there_are_no_shift() -> None:
    layout = layout_of(numbered("images/{}.jpg", (1, 2, 3, 4, 6)), numbered("masks/{}.png", (1, 2, 3, 5, 6)))
    assert len(layout.pictures) == 4


def test_an_offset_of_all_numbers_is_said() -> None:
    with pytest.raises(TrainingError, match="whose numbers are 1000 higher") as error:
        layout_of(numbered("images/{}.jpg", range(1, 13)), numbered("masks/{}.png", range(1001, 1013)))
    assert error.value.code == "no_masks"


@pytest.mark.parametrize("mask", ["masks/frame_{:04}.png", "masks/frame_{:04}_mask.png"])
def test_numbers_may_have_other_zeros_in_front(mask: str) -> None:
    layout = layout_of(numbered("images/frame_{}.jpg", range(13)), numbered(mask, range(13)))
    paired = {picture.path: picture.mask for picture in layout.pictures}
    assert paired == {f"images/frame_{n}.jpg": MaskFile(mask.format(n)) for n in range(13)}


def test_further_channels_are_no_pictures_without_a_mask() -> None:
    shown = [f"imagesTr/case_{n}_{channel:04}.png" for n in range(4) for channel in range(3)]
    layout = layout_of(shown, pictures("labelsTr", 4, "case_{}.png"))
    (found,) = layout.findings
    assert (found.code, found.severity, found.count) == ("channels_not_used", "warning", 8)
    assert len(layout.pictures) == 4


@pytest.mark.parametrize(("folder", "severity"), [("drawn", "info"), ("model_predictions", "warning")])
def test_a_folder_that_is_taken_for_that_of_the_masks_is_named(folder: str, severity: str) -> None:
    (found,) = layout_of(pictures("images", 4), pictures(folder, 4, "{}.png")).findings
    assert (found.code, found.severity) == ("assumed_masks", severity)
    assert f"{folder}/" in found.sentence


def test_two_films_whose_frames_are_all_paired_are_no_shift() -> None:
    """The lone files belong to neither of them."""
    films = [("clipA_{:04}", range(1, 11)), ("clipB_{:04}", range(11, 21))]
    images = [path for form, frames in films for path in numbered(f"images/{form}.jpg", frames)]
    masks = [path for form, frames in films for path in numbered(f"masks/{form}.png", frames)]
    assert len(layout_of(images, ["images/extra.jpg"], masks, ["masks/stray.png"]).pictures) == 20


def test_a_film_that_lacks_a_mask_and_one_that_lacks_a_picture_are_no_shift() -> None:
    """10 pictures of clipA, of which 9 have masks, beside 10 masks of clipB, of which 9 have pictures."""
    shown = numbered("images/clipA_{:04}.jpg", range(1, 11)) + numbered("images/clipB_{:04}.jpg", range(11, 20))
    drawn = numbered("masks/clipA_{:04}.png", range(1, 10)) + numbered("masks/clipB_{:04}.png", range(11, 21))
    layout = layout_of(shown, drawn)
    assert len(layout.pictures) == 18
    assert {each.code: each.files for each in layout.findings} == {
        "pictures_without_mask": ("images/clipA_0010.jpg",),
        "masks_without_picture": ("masks/clipB_0020.png",),
    }


def test_one_film_of_two_whose_numbers_are_shifted_stops() -> None:
    shown = numbered("images/clipA_{}.jpg", range(1, 11)) + numbered("images/clipB_{}.jpg", range(1, 13))
    drawn = numbered("masks/clipA_{}.png", range(1, 11)) + numbered("masks/clipB_{}.png", range(12))
    with pytest.raises(TrainingError, match=r"such as images/clipB_12\.jpg and masks/clipB_0\.png\. Otherwise"):
        layout_of(shown, drawn)


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("images/ab{:02}.jpg", "masks/ab{}.png"),
        ("images/img_{}.jpg", "masks/mask_{:03}.png"),
        ("images/img{}.jpg", "masks/mask{:03}.png"),
        ("images/IMG_{:04}.jpg", "masks/{}_mask.png"),
        ("img{}.png", "mask{:03}.png"),
    ],
)
def test_other_zeros_pair_and_one_pair_is_named(picture: str, mask: str) -> None:
    expected = {picture.format(n): MaskFile(mask.format(n)) for n in range(1, 13)}
    different = sum(picture.format(n) != mask.format(n) for n in range(1, 13))
    layout = layout_of(expected, [mask.path for mask in expected.values()])
    assert {each.path: each.mask for each in layout.pictures} == expected
    (found,) = [each for each in layout.findings if each.code == "paired_by_number"]
    assert found.severity == "info"
    assert different
    assert f"{picture.format(1)} with {mask.format(1)}." in found.sentence


def test_zeros_that_tell_names_apart_are_part_of_the_name() -> None:
    layout = layout_of(["images/ab1.jpg", "images/ab01.jpg", "masks/ab1.png", "masks/ab001.png"], pictures("images", 4))
    assert {each.path for each in layout.pictures} == {"images/ab1.jpg"}
    shown = ["images/img_7.jpg", "images/photo_7.jpg", *pictures("images", 4, "p{}.jpg")]
    layout = layout_of(shown, ["masks/mask_07.png"], pictures("masks", 4, "p{}.png"))
    assert len(layout.pictures) == 4


@pytest.mark.parametrize(
    ("picture", "mask"),
    [("images/frame_{}.jpg", "masks/mask_{:03}.png"), ("images/DSC{:05}.jpg", "masks/{}.png")],
)
def test_the_same_numbers_pair_if_the_names_say_nothing_else(picture: str, mask: str) -> None:
    expected = {picture.format(n): MaskFile(mask.format(n)) for n in range(1, 13)}
    layout = layout_of(expected, [mask.path for mask in expected.values()])
    assert {each.path: each.mask for each in layout.pictures} == expected
    (found,) = layout.findings
    assert (found.code, found.severity) == ("paired_by_number", "warning")
    assert f": 12, such as {picture.format(1)} with {mask.format(1)}." in found.sentence


@pytest.mark.parametrize(
    ("shown", "drawn"),
    [
        (numbered("images/clipA_{}.jpg", range(9)), numbered("masks/clipB_{}.png", range(9))),
        (numbered("images/frame_{}.jpg", range(9)), numbered("masks/mask_{}.png", range(1, 10))),
        (numbered("images/frame_{}.jpg", range(9)), numbered("masks/mask_{}.png", range(8))),
        ([*numbered("images/a_{}.jpg", range(5)), "images/b_5.jpg"], numbered("masks/mask_{}.png", range(6))),
        (["images/f_1.jpg", "images/f_2.jpg"], ["masks/mask_1.png", "masks/mask_2.png"]),
    ],
)
def test_numbers_that_prove_nothing_do_not_pair_and_the_right_name_is_said(shown: list[str], drawn: list[str]) -> None:
    with pytest.raises(TrainingError) as error:
        layout_of(shown, drawn)
    stem = shown[0].removeprefix("images/").removesuffix(".jpg")
    assert error.value.code == "no_masks"
    assert f"So that of {shown[0]} is called {stem}.png or {stem}_mask.png." in error.value.error


@pytest.mark.parametrize("mask", ["masks/film_{:04}.png", "masks/film_{:04}_mask.png"])
def test_frames_between_those_with_masks_are_pictures_and_no_channels(mask: str) -> None:
    layout = layout_of(numbered("images/film_{:04}.jpg", range(100)), numbered(mask, range(0, 100, 10)))
    assert len(layout.pictures) == 10
    assert [(each.code, each.count) for each in layout.findings] == [("pictures_without_mask", 90)]
