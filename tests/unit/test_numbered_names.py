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
