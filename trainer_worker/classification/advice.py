"""What the person with the photos could do next: labels to look at, and which photos to take.

The answers come from a quick classifier on the features of all pictures, so they are there before the training. They
choose nothing in it: they are for people only, so they may use the held-out pictures as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from protocol.data_report import Finding, Severity, finding
from protocol.text import printable
from trainer_worker.classification.dataset import Dataset
from trainer_worker.classification.folders import ClassFolders
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.pictures.splits import Split, folds_of
from trainer_worker.scores.label_errors import Suspects, label_errors
from trainer_worker.scores.learning_curve import MORE_OF_CLASS, LearningCurve, learning_curve
from trainer_worker.scores.parts import Part, parts_of
from trainer_worker.scores.quick_classifier import Sample, out_of_fold, reduced

FOLDS = 5
#: The advice is about this many classes at most.
MOST_ADVISED = 5
#: A class is saturated if MORE_OF_CLASS more photos would have the model recognise fewer of 200 new photos than this.
SATURATED_BELOW = 1 / 200
#: More photos of all classes change little if twice as many would raise the accuracy by less.
LITTLE = 0.01
#: So many of the pictures whose labels look wrong are listed.
MOST_SUSPECTS = 100
#: A finding says of this many files what they seem to show.
MOST_EXPLAINED = 3


@dataclass(frozen=True)
class Advice:
    """learning_curve, suspect_labels: as in metrics.json. findings: the same for the report on the folder."""

    learning_curve: dict[str, Any] | None
    suspect_labels: Sequence[dict[str, Any]]
    findings: Sequence[Finding]


NO_ADVICE = Advice(None, (), ())


def advise(data: Dataset, together: np.ndarray, seed: int, tell: Callable[[], None]) -> Advice:
    """Look for doubtful labels, and for the photos that would help. together: groups of copies and series, int64 (n,).

    tell: called before each step of the work, of which none takes a second; an exception from it ends the work.
    """
    folders = data.folders
    rows = np.arange(len(folders.classes))
    folds = folds_of(folders.classes, together, Split(train=rows, held_out=rows[:0]), FOLDS + 1, seed)
    suspects: list[dict[str, Any]] = []
    curve = None
    with threadpool_limits(1):
        tell()
        whole = Sample(reduced(data.plain.pooled), folders.classes, len(folders.labels), folds, together)
        for part in parts_of(whole):
            tell()
            scores = out_of_fold(part.sample)
            suspects += _suspect_labels(label_errors(part.sample, scores), part, data)
            if curve is None and part.sample.labels == whole.labels:
                curve = learning_curve(part.sample, scores, tell)
    suspects.sort(key=lambda entry: (-entry["wrong"], entry["label_probability"]))
    named = [entry for entry in suspects if entry["named"]]
    found = [_labels_look_wrong(named)] if named else []
    described = None
    if curve is not None:
        described = _learning_curve(curve, folders)
        found.append(finding("more_pictures", Severity.INFO, described["sentence"]))
    return Advice(described, suspects[:MOST_SUSPECTS], found)


def _suspect_labels(suspects: Suspects, part: Part, data: Dataset) -> list[dict[str, Any]]:
    """Entries of `suspect_labels` in metrics.json, without the pictures whose label a person has looked at."""
    labels, classes, looked_at = data.folders.labels, data.folders.classes, data.folders.looked_at
    return [
        {
            "file": data.folders.name_of(row),
            "label": labels[classes[row]],
            "likely": labels[likely],
            "wrong": wrong,
            "named": place < suspects.named,
            "label_probability": of_label,
            "likely_probability": of_likely,
        }
        for place, (row, likely, wrong, of_label, of_likely) in enumerate(
            zip(
                part.rows[suspects.rows].tolist(),
                part.labels[suspects.likely].tolist(),
                suspects.wrong.tolist(),
                suspects.of_label.tolist(),
                suspects.of_likely.tolist(),
                strict=True,
            )
        )
        if data.folders.name_of(row) not in looked_at
    ]


def _labels_look_wrong(suspects: Sequence[dict[str, Any]]) -> Finding:
    first = "; ".join(
        f"{printable(entry['file'])} seems to show {printable(entry['likely'])}, not {printable(entry['label'])}"
        for entry in suspects[:MOST_EXPLAINED]
    )
    pictures = "1 picture looks" if len(suspects) == 1 else f"{len(suspects)} pictures look"
    return finding(
        "labels_look_wrong",
        Severity.WARNING,
        f"{pictures} as if the label were wrong: {first}.",
        "Look at them, and move those that are wrong into their right class, or name them in corrections.csv. "
        "metrics.json lists them.",
        [entry["file"] for entry in suspects],
    )


def _learning_curve(curve: LearningCurve, folders: ClassFolders) -> dict[str, Any]:
    """`learning_curve` of metrics.json."""
    labels = folders.labels
    gains = curve.recall_gains(np.array(list(folders.counts().values())))
    order = np.argsort(-gains, kind="stable").tolist()
    saturated = [labels[row] for row in range(len(labels)) if gains[row] < SATURATED_BELOW]
    advised = [row for row in order[:MOST_ADVISED] if gains[row] >= SATURATED_BELOW] or order[:1]
    return {
        "points": [
            {
                "share": point.share,
                "pictures": point.pictures,
                "accuracy": point.accuracy,
                "low": point.low,
                "high": point.high,
            }
            for point in curve.points
        ],
        "advice": [
            {"label": labels[row], "gain": float(gains[row]), "sentence": _of_class(labels[row], gains[row], not place)}
            for place, row in enumerate(advised)
        ],
        "saturated": saturated,
        "photos_advised": MORE_OF_CLASS,
        "sentence": _overall(curve, labels[order[0]], [label for label in saturated if label != labels[order[0]]]),
    }


def _of_class(label: str, gain: float, first: bool) -> str:
    help_most = " would help most" if first else ""
    more = f"about {100 * gain:.0f} more" if gain >= LITTLE else "fewer than 1 more"
    return (
        f"{MORE_OF_CLASS} more photos of {printable(label)}{help_most}: {more} of 100 new ones of this class would be "
        "recognised."
    )


def _overall(curve: LearningCurve, first: str, saturated: Sequence[str]) -> str:
    gain = curve.gain_of_twice_as_many()
    if gain >= LITTLE:
        text = f"With twice as many photos like these, about {100 * gain:.0f} more of 100 new ones would be recognised."
    else:
        text = (
            "More photos like these would change little: with twice as many, fewer than 1 more of 100 new ones would "
            "be recognised."
        )
    text += f" Of all classes, {MORE_OF_CLASS} more photos of {printable(first)} would help most."
    if saturated:
        text += f" {MORE_OF_CLASS} more photos would change little for {some_of(saturated, most=MOST_ADVISED)}."
    return text
