"""The part of a split that was to score a segmenter, but whose pictures can't be read."""

from __future__ import annotations

from pathlib import Path

from tests.project_trees import pictures, tree_of
from trainer_worker.layouts.masks import recognise_masks
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.headers import Headers
from trainer_worker.pictures.images import PictureReader, UnreadableImageError
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.folders import mask_folders


def test_a_part_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    parts = [(f"{part}/images", f"{part}/masks") for part in ("train", "test")]
    tree = tree_of(*(pictures(folder, 4, "{}.png") for part in parts for folder in part))
    folders = mask_folders(recognise_masks(tree), tree, PictureReader(UserFiles.at(tmp_path), DecodingBudget()))
    assert not folders.report().findings

    names = pictures("test/images", 4, "{}.png")
    damage = {name: UnreadableImageError(tmp_path / name, "it is damaged") for name in names}
    folders.leave_out_unreadable(Headers({}, damage))
    (found,) = folders.report().findings
    assert (found.code, found.severity) == ("scoring_part_unreadable", "warning")
    assert "No picture of the part test could be read" in found.sentence
