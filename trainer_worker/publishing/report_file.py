"""Writes report.html into the folder of a model that is about to be published."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Sequence

import msgspec

from protocol.data_report import DataReport
from trainer_worker.pictures.grey_scale import scale_of
from trainer_worker.pictures.images import PictureReader
from trainer_worker.project.model_files import REPORT
from trainer_worker.publishing.app_pack import FinishedModel
from trainer_worker.reporting.material import Material
from trainer_worker.reporting.overlays import Overlay
from trainer_worker.reporting.picture_book import PictureBook
from trainer_worker.reporting.report import render_report

log = logging.getLogger(__name__)


def no_overlays() -> Sequence[Overlay]:
    """For models that make no masks."""
    return ()


def add_report(
    model: FinishedModel,
    overlays: Callable[[], Sequence[Overlay]],
    threads: int,
    made_on: datetime.date | None = None,
) -> None:
    """Write report.html into the model's folder, or add a warning to the manifest that says why there is none.

    overlays: see Publication. threads: how many decode pictures. made_on: by default today's date (UTC). The same
    arguments give the same page.
    """
    target, manifest = model.folder / REPORT, model.manifest
    try:
        grey = scale_of(manifest["input"].get("grey_scale", {}))
        material = Material(
            manifest,
            model.metrics,
            msgspec.convert(model.metrics["data_report"], DataReport),
            PictureBook(PictureReader(model.pictures, grey=grey), threads),
            overlays(),
            made_on or datetime.datetime.now(datetime.UTC).date(),
        )
        target.write_text(render_report(material, model.presentation.report), "utf-8")
    except Exception as error:
        log.warning("action=model.no_report task=%s", manifest.get("task_id"), exc_info=True)
        target.unlink(missing_ok=True)
        warning = f"There is no {REPORT} ({type(error).__name__}: {error}); the model is complete."
        manifest["warnings"] = [*manifest["warnings"], warning]
