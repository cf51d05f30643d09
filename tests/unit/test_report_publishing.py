"""report.html in a model's folder: that it is written, and that a failure costs it alone."""

from __future__ import annotations

import datetime
import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.brightness.kind import KIND as BRIGHTNESS
from tests.report_material import PLAIN, classifier, manifest, segmenter
from tests.report_reading import ReportReader
from trainer_worker.classification.kind import KIND as CLASSIFICATION
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.model_files import is_model_file
from trainer_worker.publishing.app_pack import FinishedModel
from trainer_worker.publishing.kind import Kind
from trainer_worker.publishing.report_file import add_report, no_overlays
from trainer_worker.reporting.overlays import Overlay
from trainer_worker.segmentation.kind import KIND as SEGMENTATION

DAY = datetime.date(2026, 11, 29)


def finished(project: Path, kind: Kind = CLASSIFICATION) -> FinishedModel:
    """A model whose records are those of a made-up classifier."""
    made = classifier(project, PLAIN)
    metrics = {**made.metrics, "data_report": msgspec.to_builtins(made.data_report)}
    folder = project / "model"
    folder.mkdir()
    return FinishedModel(kind, folder, manifest(kind.train_type, PLAIN), metrics, UserFiles.at(project))


def test_it_is_a_file_of_the_model(tmp_path: Path) -> None:
    model = finished(tmp_path)
    add_report(model, no_overlays, 2, DAY)

    page = ReportReader((model.folder / "report.html").read_text("utf-8"))
    assert model.manifest["warnings"] == []
    assert is_model_file("report.html")
    assert len(page.sections["mistakes"].pictures) == 4
    assert page.sections[""].texts[0] == "Model report · classification · 29 November 2026"


def test_overlays_are_made_for_it(tmp_path: Path) -> None:
    made = segmenter(tmp_path, ["background", "foreground"])
    metrics = {**made.metrics, "data_report": msgspec.to_builtins(made.data_report)}
    (tmp_path / "model").mkdir()
    said = manifest("segmentation", ["background", "foreground"])
    said["output"]["shape"] = [None, 224, 224, 1]
    model = FinishedModel(SEGMENTATION, tmp_path / "model", said, metrics, UserFiles.at(tmp_path))

    add_report(model, lambda: made.overlays, 2, DAY)

    page = ReportReader((model.folder / "report.html").read_text("utf-8"))
    assert len(page.sections["masks"].pictures) == 12


def test_another_train_type_has_one_with_a_section_of_its_own(tmp_path: Path) -> None:
    model = finished(tmp_path, BRIGHTNESS)
    model.metrics.update(final={"mean_error": 0.0123}, score=None)
    add_report(model, no_overlays, 2, DAY)

    page = ReportReader((model.folder / "report.html").read_text("utf-8"))
    assert page.sections["errors"].texts == ["By 0.0123 in the mean."]
    assert "classes" not in page.sections


@pytest.mark.parametrize("fault", ["overlays", "disk", "metrics"])
def test_a_failure_costs_the_report_and_not_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    model = finished(tmp_path)
    before = model.manifest["warnings"]

    def fails(*_: Any, **__: Any) -> Sequence[Overlay]:
        raise OSError(errno.ENOSPC, "No space left on device")

    if fault == "disk":
        monkeypatch.setattr(Path, "write_text", fails)
    if fault == "metrics":
        model.metrics["per_class"] = [{"label": "daisy"}]
    add_report(model, fails if fault == "overlays" else no_overlays, 2, DAY)

    (warning,) = model.manifest["warnings"]
    assert warning.startswith("There is no report.html (")
    assert warning.endswith("); the model is complete.")
    assert not (model.folder / "report.html").exists()
    assert before == []  # the list is shared with metrics.json, which has been written
