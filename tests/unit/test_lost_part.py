"""The part of a split that was to score a segmenter, but whose pictures can't be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.project_trees import pictures, tree_of
from trainer_worker.layouts.masks import recognise_masks
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.headers import Headers
from trainer_worker.pictures.images import PictureReader, UnreadableImageError
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.folders import MaskFolders, mask_folders


def of_parts(root: Path, *parts: str) -> MaskFolders:
    """Four pictures with masks in each part."""
    below = [f"{part}/{folder}" for part in parts for folder in ("images", "masks")]
    tree = tree_of(*(pictures(folder, 4, "{}.png") for folder in below))
    return mask_folders(recognise_masks(tree), tree, PictureReader(UserFiles.at(root), DecodingBudget()))


def lose_test(folders: MaskFolders) -> None:
    root = folders.reader.files.project_dir
    names = pictures("test/images", 4, "{}.png")
    damage = {name: UnreadableImageError(root / name, "it is damaged") for name in names}
    folders.leave_out_unreadable(Headers({}, damage))


def test_a_part_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    folders = of_parts(tmp_path, "train", "test")
    assert not folders.report().findings

    lose_test(folders)
    (found,) = folders.report().findings
    assert (found.code, found.severity) == ("scoring_part_unreadable", "warning")
    assert "No picture of the test part could be read" in found.sentence


@pytest.mark.parametrize(("others", "instead"), [(("train",), ""), (("train", "val"), "val scores the model")])
def test_the_rule_names_the_part_that_scores_in_the_end(tmp_path: Path, others: tuple[str, ...], instead: str) -> None:
    folders = of_parts(tmp_path, *others, "test")
    unused = " val is not used." if "val" in others else ""
    assert folders.report().rule.endswith(f"test scores the model and never trains.{unused}")

    lose_test(folders)
    rule = folders.report().rule
    assert instead in rule
    assert "test scores" not in rule
    assert "not used" not in rule
