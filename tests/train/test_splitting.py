"""What is said of the pictures that score a classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from protocol.data_report import Finding, Severity
from protocol.options import ClassificationOptions
from trainer_worker.classification.dataset import Dataset, FeatureView
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.classification.splitting import split_dataset
from trainer_worker.pictures.user_files import UserFiles


def findings(project: Path, scenes: int, copies: int, labels: str = "cd") -> dict[str, Finding]:
    """Of two classes with so many different pictures each, and so many copies of each picture."""
    looks, contents = [], []
    for kind in range(2):
        (project / labels[kind]).mkdir()
        for scene in range(scenes):
            look = np.random.default_rng(1000 * kind + scene).integers(0, 255, (16, 16, 3)).astype(np.uint8)
            for copy in range(copies):
                Image.fromarray(look).save(project / labels[kind] / f"{scene:02}{'abcdefgh'[copy]}.png")
                looks.append(look)
                contents.append(f"{kind} {scene} {copy}")
    folders = scan_class_folders(UserFiles.at(project))
    nothing = np.zeros((len(looks), 1))
    data = Dataset(folders, contents, FeatureView(nothing, nothing), np.stack(looks), [])
    _, report = split_dataset(data, ClassificationOptions(mirror="always"))
    return {found.code: found for found in report.findings}


def test_many_pictures_of_few_objects_score_little_and_that_is_said(tmp_path: Path) -> None:
    found = findings(tmp_path, 15, 8)["few_different_to_score"]
    assert found.severity is Severity.WARNING
    assert "c (24 pictures, 3 different)" in found.sentence


def test_in_a_cross_validation_all_objects_score(tmp_path: Path) -> None:
    assert "few_different_to_score" not in findings(tmp_path, 8, 5)


def test_different_pictures_are_not_accused(tmp_path: Path) -> None:
    assert "few_different_to_score" not in findings(tmp_path, 30, 1)


def test_the_report_on_the_split_does_not_say_what_is_shown_mirrored(tmp_path: Path) -> None:
    """The model of the quick first part of a time budget sees no mirrored picture, nor does a head alone."""
    assert not [code for code in findings(tmp_path, 8, 1, "bd") if "mirror" in code]
