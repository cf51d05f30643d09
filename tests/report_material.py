"""Models with all that a report can show, for the tests of report.html: drawn pictures, and records made up to fit."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from protocol.data_report import DataReport, Severity, finding
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.reporting.material import Material
from trainer_worker.reporting.overlays import Overlay
from trainer_worker.reporting.picture_book import PictureBook

DAY = datetime.date(2026, 11, 29)
#: What strangers call their classes: a script, quotes, writing from right to left, a mark that reverses text, emoji,
#: 255 characters without a gap, and bytes that are not UTF-8.
HOSTILE = [
    '<script>alert("1")</script>',
    "\"quoted\" & 'single'",
    "שלום עולם",
    "gpj.\u202eexe",
    "🌹🌻",
    "x" * 255,
    "caf\udce9",
]
PLAIN = ["daisy", "rose", "tulip"]


def manifest(train_type: str, labels: list[str]) -> dict[str, Any]:
    return {
        "task_id": "ab" * 16,
        "train_type": train_type,
        "labels": labels,
        "input": {"shape": [None, 224, 224, 3], "dtype": "float32", "channels": "RGB", "grey_scale": {}},
        "output": {"shape": [None, len(labels)]},
        "metrics": {},
        "model_file": "model.tflite",
        "backbone": {"name": "lite0", "network": "EfficientNet-Lite0", "licence": "Apache-2.0"},
        "options": {"epochs": 100, "seed": 1, "exports": ["tflite", "keras"]},
        "versions": {"tensorflow": "2.21.0", "keras": "3.15.1"},
        "stage_seconds": {"features": 4.25, "train": 61.5},
        "warnings": [],
    }


def shared_metrics(labels: list[str]) -> dict[str, Any]:
    """What the records of every trainType have."""
    return {
        "headline": "accuracy: share of the pictures that the model names right",
        "labels": labels,
        "images": {"train": 40, "held_out": 12},
        "history": [{"epoch": n, "loss": 1.2 / n, "accuracy": 1 - 0.4 / n} for n in range(1, 7)],
        "end_reason": "converged",
        "skipped": [],
        "warnings": [f"The class {labels[0]} is never predicted."],
        "exports": {
            "score_name": "held_out_accuracy",
            "pictures": 12,
            "formats": [
                {
                    "format": "tflite",
                    "file": "model.tflite",
                    "size_bytes": 12_912_345,
                    "ms_per_image": 3.14,
                    "score": 0.9125,
                    "agreement": 1.0,
                    "flagged": "",
                }
            ],
            "not_written": [{"format": "onnx", "reason": "tf2onnx is not installed"}],
        },
        "calibration": {
            "temperature": 1.31,
            "ece_before": 0.083,
            "ece_after": 0.031,
            "before": [_bin(0.2, 0.11), _bin(0.6, 0.48), _bin(0.95, 0.8)],
            "after": [_bin(0.2, 0.19), _bin(0.6, 0.61), _bin(0.9, 0.93)],
        },
        "comparison": {
            "with_task": "cd" * 16,
            "pictures": 12,
            "now_only_right": 3,
            "before_only_right": 1,
            "p_value": 0.625,
            "score_now": 0.9125,
            "score_before": 0.75,
            "promoted": True,
            "sentence": "Not worse than the model before.",
        },
    }


def _bin(confidence: float, accuracy: float) -> dict[str, float]:
    return {
        "low": confidence - 0.05,
        "high": confidence + 0.05,
        "confidence": confidence,
        "accuracy": accuracy,
        "pictures": 10,
    }


def data_report(labels: list[str], files: list[str]) -> DataReport:
    return DataReport(
        layout="class_folders",
        rule="Found class folders in images/.",
        pictures=52,
        counts={label: 10 + number for number, label in enumerate(labels)},
        split={"train": 40, "held_out": 12},
        findings=(
            finding("imbalance", Severity.WARNING, f"{labels[0]} is small.", "Add photos of it.", files),
            finding("litter", Severity.INFO, "Folders of the system are ignored."),
        ),
    )


def draw_pictures(folder: Path, number: int) -> list[str]:
    """Photos of all shapes, named as the project names them."""
    rng = np.random.default_rng(3)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    names = []
    for index in range(number):
        shape = [(60, 90), (90, 60), (30, 300), (80, 80)][index % 4]
        small = rng.integers(0, 255, (4, 4, 3)).astype(np.uint8)
        name = f"images/photo_{index}.jpg"
        Image.fromarray(small).resize(shape[::-1], Image.Resampling.BICUBIC).save(folder / name)
        names.append(name)
    return names


def classifier(folder: Path, labels: list[str]) -> Material:
    """A classifier whose report has every section. Its pictures are drawn into the folder."""
    files = draw_pictures(folder, 12)
    count = len(labels)
    confusion = np.eye(count, dtype=int) * 9
    confusion[0, count - 1] = 3
    wrong = {"truth": labels[0], "predicted": labels[-1]}
    metrics = shared_metrics(labels) | {
        "score": {
            "name": "accuracy",
            "value": 0.9125,
            "low": 0.87,
            "high": 0.94,
            "pictures": 12,
            "right": 11,
            "method": "cross_validation",
            "folds": 5,
            "enough": False,
            "sentence": "9 of 10 new photos of this kind will be recognised: 87 to 94 %.",
        },
        "baseline": {"majority_class_accuracy": 0.4},
        "confusion_matrix": confusion.tolist(),
        "per_class": [_scores_of(label, int(confusion[n].sum())) for n, label in enumerate(labels)],
        "images_per_class": {label: 10 + number for number, label in enumerate(labels)},
        "held_out": [{"file": file, **wrong, "probability": 0.9 - 0.01 * n} for n, file in enumerate(files[:3])],
        "cross_validated": [{"file": files[3], **wrong, "probability": 0.95, "fold": 1}],
        "unknown": {"threshold": 0.62, "kept": 0.97, "spotted": 0.8},
        "learning_curve": {
            "points": [
                {"share": share, "pictures": int(40 * share), "accuracy": accuracy, "low": low, "high": low + 0.1}
                for share, accuracy, low in ((0.25, 0.7, 0.65), (0.5, 0.8, 0.75), (1.0, 0.86, 0.82))
            ],
            "advice": [{"label": labels[0], "gain": 0.02, "sentence": f"20 more photos of {labels[0]} help most."}],
            "saturated": labels[1:2],
            "photos_advised": 20,
            "sentence": "The score still rises.",
        },
        "suspect_labels": [
            {
                "file": file,
                "label": labels[0],
                "likely": labels[1],
                "named": True,
                "label_probability": 0.04,
                "likely_probability": 0.91,
            }
            for file in files[4:6]
        ],
        "copies": [{"code": "duplicates_near", "count": 5, "files": files[6:9]}],
    }
    return material(folder, "classification", metrics, data_report(labels, files))


def _scores_of(label: str, support: int) -> dict[str, Any]:
    return {
        "label": label,
        "precision": 0.75,
        "precision_low": 0.5,
        "precision_high": 0.9,
        "recall": 0.75,
        "recall_low": 0.47,
        "recall_high": 0.91,
        "f1": 0.75,
        "support": support,
        "predicted": support,
        "verdict": "not enough to tell",
    }


def segmenter(folder: Path, labels: list[str]) -> Material:
    """A segmenter of classes, the first of which is the background. The truth of a few pixels is unlabelled."""
    files = draw_pictures(folder, 12)
    rng = np.random.default_rng(5)
    dice = [round(0.5 + 0.04 * number, 2) for number in range(len(files))]
    metrics = shared_metrics(labels) | {
        "score": {
            "name": "dice",
            "value": 0.8312,
            "low": 0.79,
            "high": 0.86,
            "pictures": 12,
            "right": None,
            "method": "held_out",
            "folds": 1,
            "enough": True,
            "sentence": "Masks of new pictures will overlap the true ones by 0.79 to 0.86.",
        },
        "baseline": {"all_foreground_dice": 0.3},
        "confusion_matrix": (np.eye(len(labels), dtype=int) * 90_000 + 100).tolist(),
        "per_class": {name: {"dice": 0.8, "iou": 0.7, "pixels": 90_000.0} for name in labels},
        "held_out": [{"file": file, "dice": value} for file, value in zip(files, dice, strict=True)],
    }
    truth = rng.integers(0, len(labels), (3, 64, 64)).astype(np.uint8)
    truth[:, :4] = 255
    predicted = rng.integers(0, len(labels), (3, 64, 64)).astype(np.uint8)
    picture = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
    overlays = [
        Overlay(file, value, picture, true, found)
        for file, value, true, found in zip(files, dice, truth, predicted, strict=False)
    ]
    return material(folder, "segmentation", metrics, data_report(labels, files), overlays)


def material(
    folder: Path, train_type: str, metrics: dict[str, Any], report: DataReport, overlays: list[Overlay] | None = None
) -> Material:
    book = PictureBook(PictureReader(UserFiles.at(folder)), 2)
    return Material(manifest(train_type, metrics["labels"]), metrics, report, book, overlays or [], DAY)
