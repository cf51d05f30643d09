"""What follows from corrected classes: copies in two classes, what is new, and what is too little."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from protocol.data_report import Severity
from protocol.errors import TrainingError
from tests.drawn_projects import draw_classes, draw_pairs
from tests.project_folders import open_project
from trainer_worker.checking.folder import check_folder
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.copies import copies_findings, find_copies
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.trained_pictures import recall_pictures, remember_pictures, seen_pictures
from trainer_worker.segmentation.folders import scan_mask_folders
from trainer_worker.training.registry import load_kind

ROSE, TULIP = "images/rose/0.png", "images/tulip/0.png"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Pictures of two classes. The first of both classes are the same."""
    draw_classes(tmp_path / "p", {"rose": 4, "tulip": 4})
    (tmp_path / "p" / TULIP).write_bytes((tmp_path / "p" / ROSE).read_bytes())
    return tmp_path / "p"


def correct(project: Path, *rows: str) -> UserFiles:
    (project / "corrections.csv").write_text("\n".join(["picture,action,label", *rows, ""]))
    return UserFiles.at(project.resolve())


def copies_in(files: UserFiles) -> set[str]:
    folders = scan_class_folders(files)
    contents = content_hashes(files, list(folders.files))
    thumbnails = np.random.default_rng(0).integers(0, 255, (len(contents), 16, 16, 3), dtype=np.uint8)
    names = [folders.name_of(row) for row in range(len(contents))]
    return {found.code for found in copies_findings(find_copies(names, contents, thumbnails), folders.classes)}


def test_a_copy_in_two_classes_is_settled_by_a_correction(project: Path) -> None:
    assert copies_in(UserFiles.at(project.resolve())) == {"duplicates_exact", "same_picture_in_classes"}
    assert copies_in(correct(project, f"{TULIP},label,rose")) == {"duplicates_exact"}
    assert copies_in(correct(project, f"{TULIP},exclude,")) == set()


def test_a_correction_can_also_bring_copies_into_two_classes(project: Path) -> None:
    (project / "images" / "rose" / "9.png").write_bytes((project / "images" / "rose" / "1.png").read_bytes())
    (project / TULIP).unlink()
    assert "same_picture_in_classes" in copies_in(correct(project, "images/rose/9.png,label,tulip"))


def test_a_check_tells_what_has_been_corrected_since_the_last_model(project: Path) -> None:
    opened = open_project(project)
    tree = walk(opened.files)
    contents = {path: f"{number:064x}" for number, path in enumerate(tree.files)}
    remember_pictures(opened, ("0" * 32, "classification"), seen_pictures(tree, recognise_classes(tree)), contents)
    assert recall_pictures(opened, "classification") is not None
    correct(project, f"{TULIP},label,rose", f"{ROSE},exclude,")
    report = check_folder(load_kind("classification"), opened, 0.0)
    (news,) = (found for found in report.findings if found.code == "new_since_last_model")
    assert "0 pictures were added, 1 were removed, and 1 have another class" in news.sentence
    assert (report.counts, report.skipped) == ({"rose": 4, "tulip": 3}, 1)


def test_a_class_with_one_picture_left_is_left_out_and_too_little_is_refused_with_the_reason(project: Path) -> None:
    rows = [f"images/tulip/{number}.png,exclude," for number in range(3)]
    with pytest.raises(
        TrainingError, match=r"rose: 4, tulip: 1\. Not used: images/tulip/0.png: corrections\.csv leaves"
    ):
        scan_class_folders(correct(project, *rows))
    report = check_folder(load_kind("classification"), open_project(project), 0.0)
    assert not report.trainable
    draw_classes(project, {"daisy": 3})
    report = check_folder(load_kind("classification"), open_project(project), 0.0)
    assert report.trainable
    assert report.counts == {"daisy": 3, "rose": 4}
    assert {"class_left_out", "corrections"} <= {found.code for found in report.findings}


def test_too_few_masks_that_are_left_are_refused_with_the_reason(tmp_path: Path) -> None:
    project = draw_pairs(tmp_path / "p", 5)
    assert len(scan_mask_folders(correct(project, "images/0.jpg,exclude,")).pairs) == 4
    with pytest.raises(TrainingError, match=r"Only 3 .* images/1\.jpg: corrections\.csv leaves it out"):
        scan_mask_folders(correct(project, "images/0.jpg,exclude,", "images/1.jpg,exclude,"))
    report = check_folder(load_kind("segmentation"), open_project(project), 0.0)
    assert [found.code for found in report.findings if found.severity is Severity.ERROR] == ["too_few_images"]
