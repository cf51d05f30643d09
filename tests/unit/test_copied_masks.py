"""Copies of one picture whose masks contradict each other are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from protocol.options import SegmentationOptions
from tests.drawn_masks import HEIGHT, WIDTH, disc, grey
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.segmentation.dataset import read_mask_dataset
from trainer_worker.segmentation.folders import scan_mask_folders


def findings(root: Path) -> dict[str, tuple[str, ...]]:
    options = SegmentationOptions(image_size=96)
    job = Job(hex_id("t1"), 1, open_project(root), "segmentation", options)
    attempt = Attempt(job, SilentReporter(), root, 1)
    read_mask_dataset(scan_mask_folders(job.files), options, attempt)
    return {found.code: found.files for found in attempt.data_report.findings}


def draw(root: Path, name: str, scene: int, mask: np.ndarray) -> None:
    for folder in ("images", "masks"):
        (root / folder).mkdir(exist_ok=True)
    cells = np.random.default_rng(scene).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(cells).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(root / "images" / f"{name}.png")
    grey(mask).save(root / "masks" / f"{name}.png")


def test_copies_with_other_masks_are_named_and_those_with_the_same_are_not(tmp_path: Path) -> None:
    for number in range(6):
        draw(tmp_path, f"first{number}", number, disc(number))
    draw(tmp_path, "second0", 0, disc(0))
    draw(tmp_path, "second1", 1, disc(1)[:, ::-1])
    assert findings(tmp_path)["copies_with_other_masks"] == ("images/first1.png", "images/second1.png")


def test_few_pairs_are_told_by_the_training_as_by_the_check(tmp_path: Path) -> None:
    for number in range(6):
        draw(tmp_path, f"first{number}", number, disc(number))
    found = findings(tmp_path)
    assert "few_pairs" in found
    assert "copies_with_other_masks" not in found


def test_one_mask_for_different_pictures_is_named(tmp_path: Path) -> None:
    for number in range(10):
        draw(tmp_path, f"p{number}", number, disc(max(4, number)))
    assert findings(tmp_path)["masks_repeated"] == tuple(f"images/p{number}.png" for number in range(5))


def test_one_mask_for_two_pictures_or_for_copies_is_no_mistake(tmp_path: Path) -> None:
    for number in range(9):
        draw(tmp_path, f"p{number}", number // 3, disc(number // 3))
    draw(tmp_path, "other", 7, disc(0))
    assert "masks_repeated" not in findings(tmp_path)
