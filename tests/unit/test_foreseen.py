"""What a check says of a folder: the same that its training would say, as far as names and headers tell."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocol.data_report import DataReport, Finding, Severity
from protocol.errors import TrainingError
from tests.drawn_projects import draw_classes, draw_pairs
from trainer_worker.checking.folder import check_folder
from trainer_worker.classification.folders import keep_trainable, scan_class_folders
from trainer_worker.layouts.count_findings import count_findings
from trainer_worker.pictures import headers
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.folder import ProjectFolder
from trainer_worker.segmentation.folders import Cutting, read_pairs, scan_mask_folders
from trainer_worker.training.registry import load_kind

SIDEWAYS = 6  # the EXIF orientation of a photo taken upright with most phones


def check(project: Path, train_type: str = "classification", headers_until_s: float = math.inf) -> DataReport:
    return check_folder(load_kind(train_type), ProjectFolder.open(project), headers_until_s)


def errors(report: DataReport) -> list[tuple[str, str]]:
    return [(found.code, found.sentence) for found in report.findings if found.severity is Severity.ERROR]


def found(report: DataReport, code: str) -> Finding:
    (only,) = [each for each in report.findings if each.code == code]
    return only


def codes(findings: Sequence[Finding]) -> list[str]:
    return [each.code for each in findings]


def train(project: Path) -> None:
    """What a segmenter's training does before it trains."""
    read_pairs(scan_mask_folders(UserFiles.at(project)), Cutting(32), 1, lambda share: None)


# ---- pictures of classes ----


@pytest.mark.parametrize("counts", [{"rose": 5}, {"rose": 5, "tulip": 1}, {"rose": 1, "tulip": 1, "lily": 1}])
def test_too_few_classes_is_the_error_of_the_training(tmp_path: Path, counts: dict[str, int]) -> None:
    files = UserFiles.at(draw_classes(tmp_path, counts))
    with pytest.raises(TrainingError) as refused:
        keep_trainable(scan_class_folders(files), {})

    assert errors(check(tmp_path)) == [("too_few_classes", refused.value.error)]


def test_unreadable_pictures_do_not_count(tmp_path: Path) -> None:
    draw_classes(tmp_path, {"rose": 3, "tulip": 2})
    (tmp_path / "images" / "tulip" / "1.png").write_bytes(b"")
    report = check(tmp_path)

    assert codes(report.findings) == ["too_few_classes", "unreadable_pictures"]
    assert found(report, "unreadable_pictures").files == ("images/tulip/1.png",)
    assert "the file is empty" in found(report, "unreadable_pictures").sentence
    assert report.skipped == 1


@pytest.mark.parametrize(
    ("pictures", "code", "words"),
    [
        ({"rose": ["text"]}, "no_images", "here are rose: 0, without those"),
        ({"rose": ["text"], "tulip": ["drawn"] * 5}, "too_few_classes", "here are rose: 0, tulip: 5, without those"),
        ({"rose": ["drawn"], "tulip": ["drawn"] * 5}, "too_few_classes", r"here are rose: 1, tulip: 5\. Add images\."),
    ],
)
def test_a_picture_that_is_none_is_no_readable_image_for_check_and_training(
    tmp_path: Path, pictures: dict[str, list[str]], code: str, words: str
) -> None:
    files = UserFiles.at(draw_classes(tmp_path, {label: len(kinds) for label, kinds in pictures.items()}))
    texts = [tmp_path / "images" / label / "0.png" for label, kinds in pictures.items() if kinds[0] == "text"]
    for picture in texts:
        picture.write_text("no picture")
    with pytest.raises(TrainingError, match=words) as refused:
        scan_class_folders(files)
    assert refused.value.code == code
    assert ("Not readable: images/rose/0.png: " in refused.value.error) == bool(texts)
    report = check(tmp_path)
    assert errors(report) == [(code, refused.value.error)]
    assert report.pictures == sum(map(len, pictures.values())) - len(texts)


def test_a_pair_whose_picture_is_none_is_not_usable_for_check_and_training(tmp_path: Path) -> None:
    draw_pairs(tmp_path, 2)
    picture = min((tmp_path / "images").iterdir())
    picture.write_text("no picture")
    with pytest.raises(TrainingError, match=r"Only 1 pictures have a usable mask.* Skipped: images/") as refused:
        scan_mask_folders(UserFiles.at(tmp_path))
    report = check(tmp_path, "segmentation")
    assert (errors(report), report.pictures) == ([("too_few_images", refused.value.error)], 1)


def test_a_class_that_the_training_leaves_out_is_named(tmp_path: Path) -> None:
    report = check(draw_classes(tmp_path, {"rose": 20, "tulip": 20, "lily": 1}))

    assert report.trainable
    assert "Class 'lily' was left out: 1 readable image" in found(report, "class_left_out").sentence


def test_classes_that_are_left_out_and_unreadable_pictures_are_not_counted(tmp_path: Path) -> None:
    draw_classes(tmp_path, {"rose": 20, "tulip": 20, "lily": 20})
    for picture in (*(tmp_path / "images" / "lily").iterdir(), tmp_path / "images" / "rose" / "1.png"):
        picture.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    report = check(tmp_path)

    assert (report.counts, report.pictures, report.skipped) == ({"rose": 19, "tulip": 20}, 39, 21)


def test_a_folders_own_split_that_trains_one_class_is_an_error(tmp_path: Path) -> None:
    for part, counts in (("train", {"rose": 3}), ("test", {"rose": 3, "tulip": 3})):
        draw_classes(tmp_path, counts)
        (tmp_path / "images").rename(tmp_path / part)
    with pytest.raises(TrainingError) as refused:
        keep_trainable(scan_class_folders(UserFiles.at(tmp_path)), {})

    assert errors(check(tmp_path)) == [("too_few_classes", refused.value.error)]


def test_few_pictures_to_score_in_a_folders_own_split_are_named(tmp_path: Path) -> None:
    for part, tulips in (("train", 20), ("test", 2)):
        draw_classes(tmp_path, {"rose": 20, "tulip": tulips})
        (tmp_path / "images").rename(tmp_path / part)
    report = check(tmp_path)

    assert report.split == {"train": 40, "test": 22}
    assert "tulip (2)" in found(report, "few_to_score").sentence
    assert "few_pictures" not in codes(report.findings)
    assert "imbalance" not in codes(report.findings)


def test_counts_of_classes_are_judged_by_what_trains_and_what_scores() -> None:
    assert codes(count_findings({"a": 100, "b": 20})) == ["imbalance"]
    assert codes(count_findings({"a": 19, "b": 20})) == ["few_pictures"]
    assert count_findings({"a": 16, "b": 80 - 1}, {"a": 4, "b": 4}) == []
    assert codes(count_findings({"a": 16, "b": 80}, {"a": 4, "b": 4})) == ["imbalance"]
    assert codes(count_findings({"a": 17, "b": 30}, {"a": 3, "b": 4})) == ["few_to_score"]
    assert codes(count_findings({"a": 15, "b": 30}, {"a": 4, "b": 4})) == ["few_pictures"]
    assert count_findings({"a": 0, "b": 0}) == []


def test_photos_that_are_sideways_or_tiny_are_told_by_their_headers(tmp_path: Path) -> None:
    draw_classes(tmp_path, {"rose": 20, "tulip": 20})
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    Image.new("RGB", (64, 48)).save(tmp_path / "images" / "rose" / "phone.jpg", exif=exif)
    Image.new("RGB", (64, 31)).save(tmp_path / "images" / "rose" / "icon.jpg")
    report = check(tmp_path)

    assert found(report, "sideways_pictures").files == ("images/rose/phone.jpg",)
    assert found(report, "small_pictures").files == ("images/rose/icon.jpg",)


# ---- pictures with masks ----


@pytest.mark.parametrize("count", [0, 3])
def test_too_few_pairs_is_the_error_of_the_training(tmp_path: Path, count: int) -> None:
    draw_pairs(tmp_path, count)
    Image.new("RGB", (60, 40)).save(tmp_path / "images" / "alone.jpg")
    with pytest.raises(TrainingError) as refused:
        scan_mask_folders(UserFiles.at(tmp_path))

    assert errors(check(tmp_path, "segmentation")) == [(refused.value.code, refused.value.error)]


def test_a_pair_with_an_unreadable_mask_does_not_count(tmp_path: Path) -> None:
    draw_pairs(tmp_path, 4)
    (tmp_path / "masks" / "2.png").write_bytes(b"no picture")
    report = check(tmp_path, "segmentation")
    with pytest.raises(TrainingError) as refused:
        train(tmp_path)

    assert errors(report) == [("too_few_images", refused.value.error)]
    assert found(report, "unreadable_pictures").files == ("masks/2.png",)


@pytest.mark.parametrize("mask_size", [(40, 60), (60, 42), (30, 30)])
def test_masks_of_another_shape_are_the_error_of_the_training(tmp_path: Path, mask_size: tuple[int, int]) -> None:
    draw_pairs(tmp_path, 5, mask_size)
    with pytest.raises(TrainingError) as refused:
        train(tmp_path)

    assert errors(check(tmp_path, "segmentation")) == [("bad_masks", refused.value.error)]


def test_pairs_that_cannot_be_read_are_not_counted(tmp_path: Path) -> None:
    draw_pairs(tmp_path, 30)
    (tmp_path / "masks" / "2.png").write_bytes(b"no picture")
    report = check(tmp_path, "segmentation")

    assert (report.pictures, report.skipped) == (29, 1)


def test_masks_that_can_be_scaled_or_were_drawn_on_a_sideways_photo_fit(tmp_path: Path) -> None:
    draw_pairs(tmp_path, 10, (30, 20))
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    for number in range(5):  # the photos are upright now, and their masks lie
        Image.new("RGB", (60, 40)).save(tmp_path / "images" / f"{number}.jpg", exif=exif)
    train(tmp_path)

    report = check(tmp_path, "segmentation")
    assert errors(report) == []
    assert "only 10 pictures with masks" in found(report, "few_pairs").sentence


def test_arrays_as_masks_are_left_to_the_training(tmp_path: Path) -> None:
    draw_pairs(tmp_path, 20)
    for mask in (tmp_path / "masks").glob("*.png"):
        np.save(mask.with_suffix(".npy"), np.asarray(Image.open(mask)) > 0)
        mask.unlink()

    assert check(tmp_path, "segmentation").findings == ()


def test_a_bad_list_of_classes_is_the_error_of_the_training(tmp_path: Path) -> None:
    draw_pairs(tmp_path, 4)
    (tmp_path / "classes.txt").write_text("road\nroad\n")
    with pytest.raises(TrainingError) as refused:
        scan_mask_folders(UserFiles.at(tmp_path))

    assert errors(check(tmp_path, "segmentation")) == [("bad_classes", refused.value.error)]


# ---- too little time for all headers ----


def test_without_time_a_sample_of_the_headers_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "LEAST_READ", 10)
    reader = PictureReader(UserFiles.at(draw_classes(tmp_path, {"rose": 30, "tulip": 30})))
    paths = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    read = headers.read_headers(reader, [[path] for path in paths], time.monotonic())

    assert (len(read.seen), read.unread) == (10, 50)
    assert {path.split("/")[1] for path in read.seen} == {"rose", "tulip"}
    assert list(read.seen) == sorted(read.seen)
    assert "10 of 60" in found(check(tmp_path, headers_until_s=0.0), "headers_not_all_read").sentence
