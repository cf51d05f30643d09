"""When training shows pictures mirrored, and what the report on a folder says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from protocol.data_report import DataReport, Severity
from protocol.options import ClassificationOptions, Mirror
from tests.drawn_projects import draw_classes
from tests.project_folders import attempt_in, open_project
from trainer_worker.checking.folder import check_folder
from trainer_worker.classification import reading as reading_file
from trainer_worker.classification.dataset import Dataset, FeatureView
from trainer_worker.classification.reading import Reading
from trainer_worker.layouts.mirroring import may_mirror, mirror_findings
from trainer_worker.training.registry import load_kind

SIDES, OTHERS = ("straight", "turn-left", "turn-right"), ("rose", "tulip")


@pytest.mark.parametrize(
    ("mirror", "labels", "mirrors", "codes"),
    [
        ("auto", OTHERS, True, []),
        ("auto", SIDES, False, ["not_mirrored"]),
        ("always", OTHERS, True, []),
        ("always", SIDES, True, ["mirrored_sides"]),
        ("never", OTHERS, False, []),
        ("never", SIDES, False, []),
    ],
)
def test_the_option_and_the_labels_decide(
    mirror: Mirror, labels: tuple[str, ...], mirrors: bool, codes: list[str]
) -> None:
    assert may_mirror(labels, mirror) is mirrors
    assert [each.code for each in mirror_findings(labels, mirror)] == codes


def test_a_decision_is_said_and_what_teaches_the_wrong_class_is_a_warning() -> None:
    (said,), (warned,) = mirror_findings(SIDES, "auto"), mirror_findings(SIDES, "always")
    assert (said.severity, warned.severity) == (Severity.INFO, Severity.WARNING)
    assert said.sentence == (
        "By their names, these classes are mirror images of each other: 'turn-left' and 'turn-right'. So training does "
        "not show pictures mirrored."
    )


def test_a_sentence_names_a_few_pairs() -> None:
    labels = [f"{number} {side}" for number in range(5) for side in ("left", "right")]
    (said,) = mirror_findings(labels, "auto")
    assert "'2 left' and '2 right'; and 2 more." in said.sentence


def check(project: Path, **options: Any) -> DataReport:
    return check_folder(load_kind("classification"), open_project(project), 0.0, options)


def test_a_check_says_the_same_as_the_training(tmp_path: Path) -> None:
    draw_classes(tmp_path, {"left": 20, "right": 20})
    assert [each.code for each in check(tmp_path).findings if "mirror" in each.code] == ["not_mirrored"]
    assert check(tmp_path).warnings() == []
    assert [each.code for each in check(tmp_path, mirror="always").findings if "mirror" in each.code] == [
        "mirrored_sides"
    ]
    assert not any("mirror" in each.code for each in check(tmp_path, mirror="never").findings)


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reading]:
    """Reads the views of a folder with these labels. most_bytes: how much room there is for varied ones."""

    def read_views(labels: tuple[str, ...], mirror: Mirror, most_bytes: int = 1000) -> Reading:
        monkeypatch.setattr(reading_file, "VARY_UP_TO_BYTES", most_bytes)
        monkeypatch.setattr(reading_file, "features_of_rows", lambda *_: None)
        monkeypatch.setattr(reading_file, "varied_view", lambda data, *_: data.plain)
        folders = SimpleNamespace(labels=labels, files=[Path("0.png")])
        data = SimpleNamespace(plain=FeatureView(np.zeros((1, 2, 2, 2)), np.zeros((1, 2))), folders=folders)
        options = ClassificationOptions(mirror=mirror)
        reading = Reading(cast(Any, folders), cast(Any, None), attempt_in(tmp_path, options))
        assert not reading.findings  # nor is anything said of a head that is trained alone, which asks for no views
        reading.views(cast(Dataset, data), np.array([0]))
        return reading

    return read_views


@pytest.mark.parametrize(
    ("labels", "mirror", "is_mirrored", "codes"),
    [
        (OTHERS, "auto", True, []),
        (SIDES, "auto", False, ["not_mirrored"]),
        (SIDES, "always", True, ["mirrored_sides"]),
    ],
)
def test_a_model_is_said_to_know_mirrored_pictures_if_it_does(
    read: Callable[..., Reading], labels: tuple[str, ...], mirror: Mirror, is_mirrored: bool, codes: list[str]
) -> None:
    reading = read(labels, mirror)
    assert reading.is_mirrored is is_mirrored
    assert [each.code for each in reading.findings] == codes


@pytest.mark.parametrize(("labels", "mirror"), [(OTHERS, "auto"), (SIDES, "always"), (SIDES, "auto")])
def test_where_there_is_no_room_for_varied_views_nothing_is_said_of_mirrored_pictures(
    read: Callable[..., Reading], labels: tuple[str, ...], mirror: Mirror
) -> None:
    """No option would change anything then, so none is advised."""
    reading = read(labels, mirror, most_bytes=0)
    assert not reading.is_mirrored
    assert not reading.findings


def test_a_check_promises_no_mirrored_pictures() -> None:
    """It can't know whether there will be room for them."""
    (foreseen,) = mirror_findings(SIDES, "always")
    assert "mirror=always lets training show their pictures mirrored" in foreseen.sentence
