"""trainType=brightness: the pictures of images/ in, a model out that gives each picture's mean brightness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from protocol.end_reason import EndReason
from tests.brightness.kind import KIND, LABEL
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import PlannedStage, TrainingResult
from trainer_worker.backbones.backbone import Backbone, ChosenBackbone
from trainer_worker.exporting.checks import Exports, HeldOut
from trainer_worker.exporting.model_use import ModelUse
from trainer_worker.exporting.writers import ModelToExport
from trainer_worker.layouts.picture_index import PictureIndex
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.images import PictureReader, read_rgb
from trainer_worker.project.held_out import HeldOutScores
from trainer_worker.publishing.model_input import model_input
from trainer_worker.publishing.publish import Publication

HELD_OUT = 4


def train(attempt: Attempt) -> TrainingResult:
    """Scan, read, split, fit, score, export and publish."""
    job, side = attempt.job, attempt.job.options.image_size
    attempt.reporter.plan([PlannedStage(name, 1.0) for name in ("train", "export", "check", "report", "publish")])
    attempt.stages.enter("train")
    reader = PictureReader(job.project.files)
    found = [job.project_dir / path for path in PictureIndex(walk(reader.files)).all_below("images")]
    pictures = np.stack([read_rgb(reader, path, (side, side)) for path in found])
    truth = pictures.mean(axis=(1, 2, 3)) / 255
    model = _fit(pictures[HELD_OUT:], truth[HELD_OUT:])
    held_out, held_out_truth = pictures[:HELD_OUT], truth[:HELD_OUT]
    predicted = np.asarray(model(held_out.astype(np.float32)))
    result = {"mean_error": _mean_error(predicted, held_out_truth), "images": float(len(pictures))}

    def describe(exports: Exports, warnings: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
        scored = zip(found, held_out_truth, predicted[:, 0], strict=False)
        metrics = {
            "headline": f"{KIND.headline}: mean difference between the brightness said and the true one",
            "final": result,
            "images": {"train": len(pictures) - HELD_OUT, "held_out": HELD_OUT},
            "held_out": [
                {"file": reader.files.name_of(path), "truth": float(true), "predicted": float(said)}
                for path, true, said in scored
            ],
            "skipped": [],
            "warnings": warnings,
        }
        manifest = {
            "input": model_input(side, reader.grey),
            "output": {"shape": [None, 1], "dtype": "float32", "meaning": "brightness of the picture"},
            "metrics": result,
            "end_reason": EndReason.CONVERGED,
            "exports": exports.report(),
            "warnings": warnings,
        }
        return metrics, manifest

    proof = HeldOut(held_out, predicted, lambda outputs: 1 - _mean_error(outputs, held_out_truth), "closeness")
    chosen = ChosenBackbone(_NO_BACKBONE, "Brightness needs no pretrained network.")
    source = ModelToExport(model, lambda: pictures[HELD_OUT:])
    scores = HeldOutScores.of(
        KIND.headline,
        content_hashes(reader.files, found[:HELD_OUT]),
        [f"{true:.4f}" for true in held_out_truth],
        1 - np.abs(predicted[:, 0] - held_out_truth).clip(0, 1),
    )
    use = ModelUse(train_type=KIND.train_type, labels=(LABEL,), side_px=side, is_mask=False)
    publication = Publication(KIND, source, chosen, [LABEL], use, proof, scores, describe)
    published = publication.publish(attempt)
    return published.result(result, attempt, EndReason.CONVERGED)


def warm_up(cache_dir: Path, threads: int) -> None:
    """Nothing to make ready."""


def _mean_error(outputs: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    return float(np.abs(outputs[:, 0] - truth).mean())


def _model(side: int) -> Any:
    image = keras.Input((side, side, 3))
    colour = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model(image, keras.layers.Dense(1)(colour))


def _fit(pictures: npt.NDArray[np.uint8], truth: npt.NDArray[Any]) -> Any:
    """Brightness as the best linear function of the mean colour, by least squares."""
    colours = pictures.mean(axis=(1, 2)) / 255
    weights, *_ = np.linalg.lstsq(np.hstack([colours, np.ones((len(colours), 1))]), truth, rcond=None)
    model = _model(pictures.shape[1])
    model.layers[-1].set_weights([weights[:3, np.newaxis], weights[3:]])
    return model


_NO_BACKBONE = Backbone(
    name="none",
    network="One dense layer",
    licence="Apache-2.0",
    weights_sha256="",
    build=_model,
    trunk_end=None,
    endpoints=(),
    features_cost=0.0,
    training_cost=0.0,
    exports_cost=0.0,
)
