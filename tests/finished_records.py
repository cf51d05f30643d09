"""What metrics.json and manifest.json say of the made-up models in tests/finished_models.py.

Scores, intervals, calibration and groups are computed by the code that describes a training. docs/results.md lists
every field, and a contract test compares these records with that list.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from protocol.comparison import Comparison
from protocol.data_report import DataReport, Severity, finding, gravest_first
from protocol.options import ClassificationOptions, SegmentationOptions
from protocol.percent import in_percent
from trainer_worker.classification.score_warnings import score_warnings
from trainer_worker.classification.scores import ClassScores, Predictions, score_classes
from trainer_worker.exporting.checks import ExportCheck, Exports, Unwritten
from trainer_worker.pictures.flattening import OWN_RANGES
from trainer_worker.project.model_files import FILES
from trainer_worker.publishing.model_input import model_input
from trainer_worker.scores.calibration import calibrate
from trainer_worker.scores.unknown import Unknown, choose_threshold, share_kept
from trainer_worker.segmentation.headline import DICE, describe_classes, describe_score, headline
from trainer_worker.segmentation.scores import MaskScores, score_class_masks

SEED = 1
BACKBONE = {
    "name": "lite0",
    "network": "EfficientNet-Lite0",
    "licence": "Apache-2.0",
    "weights_sha256": "0" * 64,
    "reason": "The option backbone names it.",
}
VERSIONS = {
    "tensorflow": "2.21.0",
    "keras": "3.15.1",
    "python": "3.13.5",
    "backbone": "lite0",
    "backbone_sha256": "0" * 64,
}
STAGE_SECONDS = {"read": 0.8, "features": 4.2, "train": 21.5, "export": 3.1, "check": 2.4, "report": 0.6}


@dataclass(frozen=True)
class Record:
    """metrics: metrics.json. manifest: what the publication adds to it; see ModelFolder.publish."""

    metrics: dict[str, Any]
    manifest: dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """What a classifier answered for its held-out pictures.

    files: names in the project. contents: their SHA-256. truth: int64 (n,), class numbers. probabilities: (n, labels).
    """

    labels: Sequence[str]
    files: Sequence[str]
    contents: Sequence[str]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """`held_out` of metrics.json."""
        return [
            {
                "file": file,
                "sha256": content,
                "truth": self.labels[true],
                "predicted": self.labels[int(given.argmax())],
                "probability": float(given.max()),
            }
            for file, content, true, given in zip(
                self.files, self.contents, self.truth, self.probabilities, strict=True
            )
        ]


@dataclass(frozen=True)
class Folder:
    """The pictures of a project. counts: of each class. copies, skipped, suspects: entries of metrics.json."""

    counts: Mapping[str, int]
    pictures: int
    held_out: int
    copies: Sequence[dict[str, Any]] = ()
    skipped: Sequence[dict[str, str]] = ()
    suspects: Sequence[dict[str, Any]] = ()


def classifier(answers: Answers, folder: Folder, sizes: Mapping[str, int], compared: Comparison | None) -> Record:
    """sizes: bytes of each exported file by its format."""
    labels = list(answers.labels)
    groups = np.arange(len(answers.truth))
    scores = score_classes(Predictions(answers.truth, answers.probabilities, groups), labels)
    exports = _exports("held_out_accuracy", scores.accuracy, len(answers.truth), sizes)
    report = _report_on_photos(folder)
    score = _score(scores)
    warnings = [*score_warnings(scores, is_mirrored=True), *report.warnings(), *exports.warnings()]
    most, right = answers.probabilities.max(axis=1), answers.probabilities.argmax(axis=1) == answers.truth
    threshold = choose_threshold(most, right)
    unknown = dataclasses.asdict(Unknown(threshold, share_kept(most, right, threshold), 0.31))
    calibration = calibrate(answers.probabilities, answers.truth, groups, SEED)
    curve = _learning_curve(labels, folder)
    metrics = {
        "headline": "accuracy: share of the pictures that a model names right which it was not trained on",
        "score": score,
        "final": _headline(scores, folder),
        "baseline": {"majority_class_accuracy": scores.baseline_accuracy},
        "history": _history("training_accuracy"),
        "end_reason": "converged",
        "labels": labels,
        "per_class": scores.per_class,
        "confusion_matrix": scores.confusion,
        "images": {"train": folder.pictures - folder.held_out, "held_out": folder.held_out},
        "exports": exports.report(),
        "images_per_class": dict(folder.counts),
        "copies": list(folder.copies),
        "held_out": answers.entries,
        "cross_validated": [],
        "learning_curve": curve,
        "suspect_labels": list(folder.suspects),
        "grey_scale": {},
        "skipped": list(folder.skipped),
        "warnings": warnings,
        "calibration": calibration.report(),
        "unknown": unknown,
    }
    manifest = {
        "input": {"shape": []},
        "output": {"shape": [None, len(labels)], "dtype": "float32", "meaning": "calibrated probability of each label"},
        "metrics": _headline(scores, folder),
        "score": score,
        "continued_from": None,
        "skipped": len(folder.skipped),
        "calibration": calibration.facts(),
        "unknown": unknown,
    }
    options = msgspec.to_builtins(ClassificationOptions()) | {"exports": list(sizes)}
    return _record("classification", metrics, manifest, (options, report, compared))


def segmenter(
    labels: Sequence[str],
    files: Mapping[str, str],
    masks: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
    sizes: Mapping[str, int],
    compared: Comparison | None,
) -> Record:
    """files: the SHA-256 of each held-out picture by its name.

    masks: their true and predicted ones, class numbers (n, S, S) each.
    """
    truth, predicted = masks
    scores = score_class_masks(truth, predicted, labels)
    most_common = score_class_masks(truth, np.ones_like(truth), labels)
    score, pictures = describe_score(DICE, scores), 5 * len(files)
    exports = _exports(DICE, scores.dice, len(files), sizes)
    report = _report_on_masks(labels, pictures, len(files))
    final = headline(DICE, scores, score, pictures)
    calibration = _pixel_calibration(truth, predicted, len(labels))
    metrics = {
        "headline": f"dice: the mean Dice of {len(files)} held-out pictures, at the model's input size",
        "score": score,
        "final": {**final, "pixel_accuracy": scores.pixel_accuracy},
        "baseline": {"all_foreground_dice": most_common.dice, "all_foreground_iou": most_common.iou},
        "history": _history("training_dice"),
        "end_reason": "converged",
        "labels": list(labels),
        "per_class": describe_classes(scores),
        "confusion_matrix": scores.confusion,
        "images": {"train": pictures - len(files), "held_out": len(files)},
        "exports": exports.report(),
        "held_out": [
            {"file": file, "sha256": content, DICE: dice}
            for (file, content), dice in zip(files.items(), scores.dice_per_image, strict=True)
        ],
        "copies": [],
        "mask_values": "The pixels of a mask are the numbers of the classes in classes.txt.",
        "views": "The model learned from the pictures in all eight ways to turn and mirror them.",
        "grey_scale": {},
        "skipped": [],
        "warnings": [*_mask_warnings(scores, most_common, score), *exports.warnings()],
        "calibration": calibration,
    }
    manifest = {
        "input": {"shape": []},
        "output": {"shape": [None, 0, 0, len(labels)], "dtype": "float32", "meaning": "probability of each class"},
        "metrics": final,
        "score": score,
        "calibration": {key: calibration[key] for key in ("temperature", "ece_before", "ece_after")},
    }
    options = msgspec.to_builtins(SegmentationOptions()) | {"exports": list(sizes)}
    return _record("segmentation", metrics, manifest, (options, report, compared))


def _record(
    train_type: str,
    metrics: dict[str, Any],
    manifest: dict[str, Any],
    shared: tuple[dict[str, Any], DataReport, Comparison | None],
) -> Record:
    """Adds what publishing adds. shared: options, the report on the folder, and the comparison."""
    options, report, compared = shared
    verdict = {"comparison": msgspec.to_builtins(compared)}
    made_of = {"backbone": BACKBONE, "options": options, "versions": VERSIONS}
    return Record(
        {**metrics, **made_of, "data_report": msgspec.to_builtins(report), **verdict},
        {
            "attempt": 1,
            "fingerprint": "",
            "train_type": train_type,
            "seed": SEED,
            **made_of,
            "labels": metrics["labels"],
            **manifest,
            "end_reason": metrics["end_reason"],
            "stopped_early": False,
            "exports": metrics["exports"],
            "warnings": list(metrics["warnings"]),
            "data_report": msgspec.to_builtins(report.shortened()),
            "model_file": "model.tflite",
            "interim": False,
            "promoted": compared is None or compared.promoted,
            **verdict,
            "stage_seconds": STAGE_SECONDS,
        },
    )


def with_input(record: Record, side_px: int) -> Record:
    """The same for a model whose input has that side."""
    shape = record.manifest["output"]["shape"]
    output = {**record.manifest["output"], "shape": [None, side_px, side_px, shape[-1]] if len(shape) > 2 else shape}
    manifest = {**record.manifest, "input": model_input(side_px, OWN_RANGES), "output": output}
    return Record(record.metrics, manifest)


def _score(scores: ClassScores) -> dict[str, Any]:
    return {
        "name": "accuracy",
        "value": scores.accuracy,
        "low": scores.interval[0],
        "high": scores.interval[1],
        "pictures": scores.pictures,
        "right": scores.right,
        "method": "held_out",
        "folds": 1,
        "enough": scores.enough,
        "sentence": scores.sentence(),
    }


def _headline(scores: ClassScores, folder: Folder) -> dict[str, float]:
    return {
        "accuracy": scores.accuracy,
        "accuracy_low": scores.interval[0],
        "accuracy_high": scores.interval[1],
        "balanced_accuracy": scores.balanced_accuracy,
        "baseline_accuracy": scores.baseline_accuracy,
        "images": float(folder.pictures),
    }


def _history(name: str) -> list[dict[str, Any]]:
    return [{"epoch": n, "loss": 1.4 / n + 0.05, name: 1 - 0.55 / (n + 0.4)} for n in range(1, 13)]


def _exports(score_name: str, score: float, pictures: int, sizes: Mapping[str, int]) -> Exports:
    """The 8-bit file is slower to agree: it is flagged. A format that needs other packages was not written."""
    times_ms = {"tflite": 3.1, "tflite_float16": 3.3, "tflite_int8": 1.4}
    lossy = f"It scores {in_percent(score - 0.04)}, the trained model {in_percent(score)}. Use another format."
    checks = [
        ExportCheck(name, FILES[name], size, score, 2e-7, 1.0, times_ms[name])
        if name != "tflite_int8"
        else ExportCheck(name, FILES[name], size, score - 0.04, 0.11, 0.95, times_ms[name], lossy)
        for name, size in sizes.items()
    ]
    missing = Unwritten("onnx", "tf2onnx is not installed; run pip install tf2onnx onnxruntime on the worker")
    return Exports(checks, [missing], score_name, score, pictures)


def _learning_curve(labels: Sequence[str], folder: Folder) -> dict[str, Any]:
    points = [(0.1, 0.58, 0.12), (0.2, 0.67, 0.09), (0.4, 0.76, 0.07), (0.7, 0.83, 0.05), (1.0, 0.86, 0.04)]
    return {
        "points": [
            {
                "share": share,
                "pictures": round(share * folder.pictures),
                "accuracy": accuracy,
                "low": accuracy - half,
                "high": accuracy + half,
            }
            for share, accuracy, half in points
        ],
        "advice": [
            {
                "label": labels[0],
                "gain": 0.04,
                "sentence": f"20 more photos of {labels[0]} would help most: about 4 more of 100 new ones of this "
                "class would be recognised.",
            }
        ],
        "saturated": [labels[-1]],
        "photos_advised": 20,
        "sentence": "With twice as many photos like these, about 5 more of 100 new ones would be recognised.",
    }


def _report_on_photos(folder: Folder) -> DataReport:
    suspects = [entry["file"] for entry in folder.suspects if entry["named"]]
    found = [
        finding(
            "labels_look_wrong",
            Severity.WARNING,
            f"{len(suspects)} pictures look as if the label were wrong.",
            "Look at them, and move those that are wrong into their right class. metrics.json lists them.",
            suspects,
        ),
        finding(
            "duplicates_exact",
            Severity.INFO,
            "2 pictures are byte-for-byte copies of others.",
            "Copies teach the model nothing new. Replace them with other pictures.",
            [file for group in folder.copies for file in group["files"][1:] if group["code"] == "duplicates_exact"],
        ),
        finding("more_pictures", Severity.INFO, "20 more photos of the first class would help most."),
    ]
    return DataReport(
        layout="class_folders",
        rule="Found class folders in images/.",
        pictures=folder.pictures,
        counts=dict(folder.counts),
        split={"train": folder.pictures - folder.held_out, "held_out": folder.held_out},
        skipped=len(folder.skipped),
        findings=gravest_first(found),
    )


def _report_on_masks(labels: Sequence[str], pictures: int, held_out: int) -> DataReport:
    few = finding(
        "class_in_few_masks",
        Severity.WARNING,
        f"Few masks show the class {labels[-1]}.",
        "Add pictures that show it, with their masks.",
    )
    return DataReport(
        layout="mask_pairs",
        rule="Found masks in masks/ for the pictures in images/.",
        pictures=pictures,
        counts=dict.fromkeys(labels[1:], pictures),
        split={"train": pictures - held_out, "held_out": held_out},
        findings=(few,),
    )


def _mask_warnings(scores: MaskScores, constant: MaskScores, score: Mapping[str, Any]) -> list[str]:
    return [*scores.warnings(constant), *(() if score["enough"] else [str(score["sentence"])])]


def _pixel_calibration(truth: npt.NDArray[np.uint8], predicted: npt.NDArray[np.uint8], labels: int) -> dict[str, Any]:
    """Of a model that gives its answer 0.9, whatever it sees."""
    answers = np.full((truth.size, labels), 0.1 / (labels - 1))
    answers[np.arange(truth.size), predicted.ravel()] = 0.9
    pictures = np.repeat(np.arange(len(truth)), truth[0].size)
    return calibrate(answers, truth.ravel().astype(np.int64), pictures, SEED).report()
