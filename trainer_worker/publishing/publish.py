"""From a trained model to its published folder: exports, their proof, labels, records, app pack."""

from __future__ import annotations

import functools
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import msgspec
import tensorflow as tf

from trainer_worker.attempt.job import Job, Reporter
from trainer_worker.attempt.stages import Stages
from trainer_worker.attempt.work_folder import work_folder
from trainer_worker.backbones.backbone import ChosenBackbone
from trainer_worker.exporting.checks import ExportChecks, Exports, HeldOut
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.exporting.writers import ReadPictures
from trainer_worker.exporting.writing import export_model
from trainer_worker.project.json_text import json_text
from trainer_worker.project.model_files import FILES, LABELS, METRICS, label_lines
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.publishing.app_pack import FinishedModel, add_app_pack, label_model
from trainer_worker.publishing.kind import Kind

#: A first model before the budget's end is wanted soon, and in one format.
FIRST_MODEL = "first_"
_FIRST_FORMAT = "tflite"


@dataclass(frozen=True)
class Publication:
    """What publish_model needs to know of a trained model.

    kind: its trainType. model: as writers.Export has it. chosen: what it was made of. proof: what every file must
    reproduce. calibration: training pictures.
    describe: from what the export has come to and its warnings to metrics.json and what is special in manifest.json.
    """

    kind: Kind
    model: keras.Model
    chosen: ChosenBackbone
    labels: Sequence[str]
    proof: HeldOut
    calibration: ReadPictures
    describe: Callable[[Exports, list[str]], tuple[dict[str, Any], dict[str, Any]]]


def publish_model(
    publication: Publication, job: Job, reporter: Reporter, stages: Stages, threads: int, prefix: str = ""
) -> Path:
    """The published file to hand to the user. prefix: FIRST_MODEL for an interim model, of its stages' names.

    Files are written and checked in a folder of our own and then copied: nobody can swap one between its check and
    its use. Raises what ExportChecks, export_model, work_folder and ModelFolder raise; then nothing is published.
    """
    formats = job.options.exports
    if prefix and _FIRST_FORMAT in formats:
        formats = (_FIRST_FORMAT,)
    warnings: list[str] = []
    with ModelFolder(job.project, job.task_id, job.attempt) as folder, work_folder(job.work_dir) as work:
        stages.enter(f"{prefix}export")
        with ExportChecks(publication.proof, threads) as checks:

            def on_written(name: str, path: Path) -> None:
                if path.suffix == ".tflite":
                    labels = publication.labels
                    warnings.extend(label_model(path, publication.kind, job.options.image_size, labels))
                checks.begin(name, path)

            unwritten = export_model(
                publication.model, work, formats, publication.calibration, on_written, reporter.step
            )
            stages.enter(f"{prefix}check")
            exports = checks.finish(reporter.step, unwritten)
        if not prefix:
            stages.enter("publish")
        (work / LABELS).write_text(label_lines(publication.labels), "utf-8")
        metrics, manifest = publication.describe(exports, [*warnings, *exports.warnings()])
        metrics = {**metrics, "backbone": publication.chosen.facts()}
        (work / METRICS).write_text(json_text(metrics), "utf-8")
        stages.leave()
        manifest = {
            **_facts_of(job, publication.chosen),
            "labels": list(publication.labels),
            **manifest,
            "model_file": exports.model_file(),
            "stage_seconds": dict(stages.seconds),
            "interim": bool(prefix),
        }
        _add_app_pack(FinishedModel(publication.kind, work, manifest, metrics, job.pictures_dir), threads)
        folder.add_all(work, functools.partial(reporter.step, 1.0))
        return folder.publish(manifest) / exports.model_file()


def _facts_of(job: Job, chosen: ChosenBackbone) -> dict[str, Any]:
    """What every manifest says of its making."""
    return {
        "task_id": job.task_id,
        "attempt": job.attempt,
        "fingerprint": job.fingerprint,
        "train_type": job.train_type,
        "options": msgspec.to_builtins(job.options),
        "seed": job.options.seed,
        "backbone": chosen.facts(),
        "versions": {
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "python": platform.python_version(),
            "backbone": chosen.backbone.name,
            "backbone_sha256": chosen.backbone.weights_sha256,
        },
    }


def _add_app_pack(model: FinishedModel, threads: int) -> None:
    tflite, manifest = model.folder / FILES["tflite"], model.manifest
    if tflite.exists():
        add_app_pack(model, functools.partial(load_predictor, tflite, threads))
    else:
        manifest["warnings"] = [*manifest["warnings"], "There is no app_pack.zip: it holds a model.tflite (exports)."]
