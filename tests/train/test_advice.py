"""What a training tells the person with the photos: labels that look wrong, and which photos to take next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protocol.data_report import Severity
from tests.train.advice_arithmetic import Features, check_advice
from tests.train.test_classification import RecordingReporter, read, run, write_digits
from trainer_worker.attempt.job import Cancelled, TrainingResult
from trainer_worker.classification import train as classification
from trainer_worker.classification.advice import Advice, advise
from trainer_worker.classification.dataset import Dataset, FeatureView
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.pictures.user_files import UserFiles

PER_CLASS = 40
DIGITS = (0, 1, 4, 6)
PLANTED = 8
COLUMNS = 24


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """Digits of which every twentieth lies in a wrong folder, and the names of these files."""
    project = write_digits(tmp_path_factory.mktemp("planted"), PER_CLASS, DIGITS)
    random, moved = np.random.default_rng(0), set()
    files = sorted((project / "images").rglob("*.png"))
    for row in random.permutation(len(files))[:PLANTED].tolist():
        others = [digit for digit in DIGITS if f"digit{digit}" != files[row].parent.name]
        target = project / "images" / f"digit{others[int(random.integers(len(others)))]}" / files[row].name
        files[row].rename(target)
        moved.add(target.relative_to(project).as_posix())
    return project, moved


@pytest.fixture(scope="module")
def training(
    planted: tuple[Path, set[str]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingResult, Features]:
    """The training, and the features that its advice comes from."""
    noted = []

    def noting(data: Dataset, *others: Any) -> Advice:
        names = [data.folders.name_of(row) for row in range(len(data.folders.files))]
        noted.append(Features(names, data.folders.classes, data.plain.pooled))
        return advise(data, *others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(classification, "advise", noting)
        result = run(planted[0], tmp_path_factory.mktemp("cache"), RecordingReporter(), epochs=1)
    return result, noted[0]


@pytest.fixture
def trained(training: tuple[TrainingResult, Features]) -> TrainingResult:
    return training[0]


def test_curve_and_doubted_labels_of_the_report_are_computed_anew(
    training: tuple[TrainingResult, Features], planted: tuple[Path, set[str]]
) -> None:
    counts = {folder.name: len(list(folder.iterdir())) for folder in sorted((planted[0] / "images").iterdir())}
    check_advice(training[0].model_path.parent, counts, training[1])


def test_a_training_names_the_labels_that_were_planted(trained: TrainingResult, planted: tuple[Path, set[str]]) -> None:
    suspects = [entry for entry in read(trained, "metrics.json")["suspect_labels"] if entry["named"]]
    named = [entry["file"] for entry in suspects]
    assert len(planted[1].intersection(named[:PLANTED])) >= 0.6 * PLANTED
    for entry in suspects:
        assert entry["file"].split("/")[1] == entry["label"] != entry["likely"]
        assert 0 <= entry["label_probability"] < entry["likely_probability"] <= 1
    warning = next(text for text in trained.warnings if "as if the label were wrong" in text)
    assert named[0] in warning


def test_a_training_says_what_more_photos_would_do(trained: TrainingResult) -> None:
    metrics = read(trained, "metrics.json")
    curve = metrics["learning_curve"]
    assert [point["share"] for point in curve["points"]] == [0.25, 0.5, 0.75, 1.0]
    assert curve["points"][-1]["pictures"] == PER_CLASS * len(DIGITS)
    assert curve["advice"][0]["label"] in metrics["labels"]
    findings = {found["code"]: found for found in metrics["data_report"]["findings"]}
    assert findings["more_pictures"]["sentence"] == curve["sentence"]
    assert findings["more_pictures"]["severity"] == Severity.INFO


def drawn_dataset(project: Path, counts: dict[str, int], apart: float) -> Dataset:
    """Pictures of these classes whose features are drawn: a cloud for each class."""
    random = np.random.default_rng(1)
    for label, number in counts.items():
        (project / label).mkdir()
        for row in range(number):
            Image.new("RGB", (8, 8)).save(project / label / f"{row:03}.png")
    folders = scan_class_folders(UserFiles.at(project))
    centres = random.normal(size=(len(counts), COLUMNS)) * apart
    pooled = (centres[folders.classes] + random.normal(size=(len(folders.files), COLUMNS))).astype(np.float32)
    return Dataset(folders, [], FeatureView(np.zeros((len(folders.files), 1)), pooled), np.zeros(0), [])


def advice_for(data: Dataset) -> Advice:
    return advise(data, np.arange(len(data.folders.files)), 0, lambda: None)


def test_the_small_class_with_errors_is_advised_and_the_others_are_saturated(tmp_path: Path) -> None:
    curve = advice_for(drawn_dataset(tmp_path, {"ant": 300, "bee": 300, "fly": 12}, apart=0.5)).learning_curve
    assert curve is not None
    assert curve["advice"][0]["label"] == "fly"
    assert curve["advice"][0]["sentence"].startswith("20 more photos of fly would help most: ")
    assert set(curve["saturated"]) == {"ant", "bee"}
    assert "20 more photos of fly would help most" in curve["sentence"]
    assert "20 more photos would change little for ant, bee." in curve["sentence"]


def test_classes_that_are_recognised_without_fail_need_nothing(tmp_path: Path) -> None:
    advice = advice_for(drawn_dataset(tmp_path, {"ant": 60, "bee": 60}, apart=3.0))
    assert advice.learning_curve is not None
    assert advice.learning_curve["sentence"].startswith("More photos like these would change little")
    assert advice.suspect_labels == []
    assert [found.code for found in advice.findings] == ["more_pictures"]


def test_pictures_that_a_person_has_looked_at_are_named_no_more(tmp_path: Path) -> None:
    data = drawn_dataset(tmp_path, {"ant": 60, "bee": 60}, apart=3.0)
    rows, wrong = [3, 14, 33, 41, 70, 80, 90, 100], data.folders.classes.copy()
    wrong[rows] = 1 - wrong[rows]
    data = replace(data, folders=replace(data.folders, classes=wrong))
    names = [data.folders.name_of(row) for row in rows]
    advice = advice_for(data)
    assert {entry["file"] for entry in advice.suspect_labels if entry["named"]} == set(names)
    looked_at = replace(data, folders=replace(data.folders, looked_at=frozenset(names[:7])))
    advice = advice_for(looked_at)
    assert not {entry["file"] for entry in advice.suspect_labels} & set(names[:7])
    (found,) = (one for one in advice.findings if one.code == "labels_look_wrong")
    assert (found.count, found.files) == (1, (names[7],))
    everything = replace(data, folders=replace(data.folders, looked_at=frozenset(names)))
    assert [one.code for one in advice_for(everything).findings] == ["more_pictures"]


def test_a_handful_of_pictures_gets_no_advice(tmp_path: Path) -> None:
    advice = advice_for(drawn_dataset(tmp_path, {"ant": 4, "bee": 4}, apart=1.0))
    assert (advice.learning_curve, list(advice.suspect_labels), list(advice.findings)) == (None, [], [])


def test_copies_of_one_picture_alone_are_no_error(tmp_path: Path) -> None:
    data = drawn_dataset(tmp_path, {"ant": 4, "bee": 4}, apart=1.0)
    assert advise(data, np.zeros(8, np.int64), 0, lambda: None).learning_curve is None


def test_a_cancel_ends_it(tmp_path: Path) -> None:
    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        advise(drawn_dataset(tmp_path, {"ant": 4, "bee": 4}, 1.0), np.arange(8), 0, cancel)
