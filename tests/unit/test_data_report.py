"""The report on a folder stays within what a message may carry, and says what a person should read."""

from __future__ import annotations

import msgspec
import pytest

from protocol.bounds import MAX_WARNING_CHARS, MAX_WARNINGS
from protocol.data_report import (
    MAX_FINDINGS,
    MAX_NAMED_FILES,
    MAX_REPORT_BYTES,
    DataReport,
    Finding,
    Severity,
    finding,
)
from protocol.task import Trained


def longest_finding() -> Finding:
    return finding("some_code", Severity.WARNING, "é" * 2000, "ü" * 2000, ["日" * 500] * 30)


def test_a_finding_names_some_files_and_counts_all() -> None:
    found = longest_finding()

    assert len(found.files) == MAX_NAMED_FILES
    assert found.count == 30
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Finding) == found


def test_names_that_are_not_utf8_are_shown_escaped() -> None:
    assert finding("some_code", Severity.INFO, "A sentence.", "", ["caf\udce9.jpg"]).files == ("caf\\udce9.jpg",)


def test_the_longest_report_fits_into_a_message_when_shortened() -> None:
    counts = {f"{number:04}" + "é" * 200: number for number in range(1000)}
    report = DataReport(counts=counts, findings=(longest_finding(),) * MAX_FINDINGS)

    assert len(msgspec.json.encode(report.shortened())) <= MAX_REPORT_BYTES
    assert report.shortened().findings


def test_a_report_of_usual_size_is_not_shortened() -> None:
    report = DataReport(findings=(finding("some_code", Severity.INFO, "A sentence.", "", ["a.jpg"]),))

    assert report.shortened() is report


def test_only_errors_prevent_a_training_and_only_what_matters_is_a_warning() -> None:
    info = finding("turned", Severity.INFO, "Turned.")
    warning = finding("few", Severity.WARNING, "Few pictures.", "Add some.")
    error = finding("no_images", Severity.ERROR, "None.", "Add them.")

    assert DataReport(findings=(info, warning)).trainable
    assert not DataReport(findings=(info, error)).trainable
    assert DataReport(findings=(error, warning, info)).warnings() == ["None. Add them.", "Few pictures. Add some."]


def test_a_warning_names_the_first_files() -> None:
    found = finding("cut", Severity.WARNING, "Cut off.", "Replace them.", ["a.jpg", "b.jpg", "c.jpg", "d.jpg"])
    assert found.warning() == "Cut off. Replace them. Files: a.jpg, b.jpg, c.jpg and 1 more."


def test_warnings_beyond_the_limit_are_counted_in_the_last_one() -> None:
    trained = Trained("/p/models/x/model.tflite", warnings=tuple("w" * 3000 for _ in range(40)))

    assert len(trained.warnings) == MAX_WARNINGS
    assert max(map(len, trained.warnings)) <= MAX_WARNING_CHARS
    assert trained.warnings[-1] == "11 more warnings are in metrics.json."
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(trained), type=Trained) == trained


@pytest.mark.parametrize("label", ["caf\udce9", "x" * 400, "\udce9" * 255, "two\nlines"])
def test_names_that_users_choose_always_fit_into_a_message(label: str) -> None:
    report = msgspec.structs.replace(DataReport(), counts={label: 3}, rule=f"Found the class {label * 5}.")
    trained = Trained("/p/models/x/model.tflite", warnings=[f"Class {label} is small."], data=report.shortened())  # type: ignore[arg-type]

    received = msgspec.msgpack.decode(msgspec.msgpack.encode(trained), type=Trained)

    assert received == trained
    assert list(received.data.counts.values()) == [3]
    assert msgspec.json.decode(msgspec.json.encode(received), type=Trained) == trained
