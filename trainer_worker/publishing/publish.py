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

from protocol.artifact import Artifact, UsableModel
from protocol.comparison import Comparison
from protocol.end_reason import EndReason
from protocol.text import as_utf8
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, TrainingResult
from trainer_worker.attempt.stages import stage_name
from trainer_worker.attempt.work_folder import work_folder
from trainer_worker.backbones.backbone import ChosenBackbone
from trainer_worker.exporting.checks import ExportChecks, Exports, HeldOut
from trainer_worker.exporting.model_use import ModelUse
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.exporting.writing import export_model
from trainer_worker.project.held_out import MOST_BYTES, HeldOutScores
from trainer_worker.project.json_text import json_text
from trainer_worker.project.model_files import FILES, HELD_OUT, LABELS, METRICS, label_lines
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.publishing.app_pack import FinishedModel, add_app_pack, label_model
from trainer_worker.publishing.kind import Kind
from trainer_worker.publishing.mask_file import add_masks
from trainer_worker.publishing.report_file import add_report, no_overlays
from trainer_worker.reporting.overlays import Overlay

#: An interim model is wanted soon, so it has one format: this one if it is asked for.
_INTERIM_FORMAT = "tflite"


@dataclass(frozen=True)
class PublishedModel:
    """path: the file to hand to the user, on this machine. location: its path or URL, as the user gets it.

    warnings: all that its manifest has.

    artifacts: the files of its folder.
    comparison: with the model that was in use before; None if there was none, and for an interim model.
    """

    path: Path
    location: str
    warnings: tuple[str, ...]
    artifacts: tuple[Artifact, ...]
    comparison: Comparison | None = None

    @property
    def promoted(self) -> bool:
        """Whether models/latest was pointed to this model, provided that it is a finished one."""
        return self.comparison is None or self.comparison.promoted

    def result(
        self, metrics: dict[str, float], attempt: Attempt, end_reason: EndReason, epochs: int = 0
    ) -> TrainingResult:
        """What the trainer of this model gives back. metrics: its headline numbers."""
        attempt.stages.leave()
        seconds = attempt.stages.seconds
        return TrainingResult(
            self.path, metrics, seconds, end_reason, self.warnings, epochs, self.comparison, self.artifacts
        )

    def usable(self) -> UsableModel:
        """This model, if it is an interim one, for those who would use it before the final one is there.

        A SavedModel is a folder, and its file saved_model.pb stands for it.
        """
        inside = f"{self.path.name}/saved_model.pb"
        file = next(artifact for artifact in self.artifacts if artifact.name in (self.path.name, inside))
        return UsableModel(as_utf8(self.location), file)


@dataclass(frozen=True)
class Publication:
    """A trained model that is to be published, and what must be known of it.

    kind: its trainType. chosen: what it was made of. labels: in the order of the output. use: how its files are used.
    proof: what every file must reproduce.
    scores: how it did on each held-out picture; this decides whether it comes into use (project/gate.py).
    describe: from what the export has come to and its warnings to metrics.json and what is special in manifest.json.
    overlays: makes held-out pictures with their masks for report.html and held_out_masks.json; called only for a final
    model.
    """

    kind: Kind
    source: ModelToExport
    chosen: ChosenBackbone
    labels: Sequence[str]
    use: ModelUse
    proof: HeldOut
    scores: HeldOutScores
    describe: Callable[[Exports, list[str]], tuple[dict[str, Any], dict[str, Any]]]
    overlays: Callable[[], Sequence[Overlay]] = no_overlays

    def publish(self, attempt: Attempt, interim: bool = False) -> PublishedModel:
        """Export, check and publish the model.

        interim: whether a better model of this task will replace this one.
        Files are written and checked in a folder of our own and then copied: nobody can swap one between its check and
        its use. Raises what ExportChecks, export_model, work_folder and ModelFolder raise; then nothing is published.
        """
        job, stages = attempt.job, attempt.stages
        with ModelFolder(job.project, job.task_id, job.attempt) as folder, work_folder(job.work_dir) as work:
            exports, warnings = self._export(work, attempt, interim)
            if not interim:
                stages.enter("report")
            (work / LABELS).write_text(label_lines(self.labels), "utf-8")
            metrics, manifest = self.describe(exports, [*warnings, *exports.warnings()])
            data_report = attempt.data_report
            comparison = None if interim else job.gate.compare(self.scores)
            verdict = {"comparison": msgspec.to_builtins(comparison)}
            of_data = {"data_report": msgspec.to_builtins(data_report)}
            facts = _facts_of(job, self.chosen)
            made_of = {name: facts[name] for name in ("backbone", "options", "versions")}
            metrics = {**metrics, **made_of, **of_data, **verdict}
            (work / METRICS).write_text(json_text(metrics), "utf-8")
            if not interim and len(scores := self.scores.encoded()) <= MOST_BYTES:
                (work / HELD_OUT).write_bytes(scores)
            manifest = {
                **facts,
                "labels": list(self.labels),
                **manifest,
                "data_report": msgspec.to_builtins(data_report.shortened()),
                "model_file": exports.model_file(),
                "interim": interim,
                "promoted": job.gate.admits_interim() if interim else comparison is None or comparison.promoted,
                **verdict,
            }
            model = FinishedModel(self.kind, work, manifest, metrics, job.files)
            _add_app_pack(model, attempt.threads)
            if not interim:
                shown = functools.cache(self.overlays)
                add_report(model, shown, attempt.threads)
                add_masks(model, shown)
                stages.enter("publish")
            stages.leave()
            manifest["stage_seconds"] = dict(stages.seconds)
            tell = functools.partial(attempt.reporter.step, 1.0)
            folder.add_all(work, tell)
            file = exports.model_file()
            path = folder.publish(manifest, tell) / file
            return PublishedModel(
                path, folder.location(file), tuple(manifest["warnings"]), folder.artifacts, comparison
            )

    def _export(self, work: Path, attempt: Attempt, interim: bool) -> tuple[Exports, list[str]]:
        """Write the files into `work` and check them. Returns the result, and the warnings from labelling the files."""
        options, step = attempt.job.options, attempt.reporter.step
        any_may_fail = self.source.any_may_fail
        one_is_enough = interim and _INTERIM_FORMAT in options.exports and not any_may_fail
        formats = (_INTERIM_FORMAT,) if one_is_enough else options.exports
        warnings: list[str] = []
        attempt.stages.enter(stage_name("export", interim))
        with ExportChecks(self.proof, attempt.threads, any_may_fail) as checks:

            def on_written(name: str, path: Path) -> None:
                if path.suffix == ".tflite":
                    warnings.extend(label_model(path, self.kind, self.use))
                checks.begin(name, path)

            unwritten = export_model(self.source, work, formats, on_written, step)
            attempt.stages.enter(stage_name("check", interim))
            exports = checks.finish(step, unwritten)
        for sentence in exports.sentences():
            attempt.reporter.note(sentence)
        return exports, warnings


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
