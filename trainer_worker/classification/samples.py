"""The held-out pictures that a classifier's app pack shows, and the model's answers for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from trainer_worker.project.model_files import label_lines
from trainer_worker.publishing.kind import SAMPLES, Answer, Entry

#: What is shown for a picture that probably shows none of the labels.
UNKNOWN = "unknown"


def pick(held_out: Sequence[Entry]) -> list[Entry]:
    """The most confidently misclassified picture, then the most confident others, of different classes if possible.

    If no picture is misclassified, the one with the lowest probability comes first.
    """
    rest = sorted(held_out, key=lambda entry: (-entry["probability"], entry["file"]))
    wrong = [entry for entry in rest if entry["truth"] != entry["predicted"]]
    picked = [wrong[0] if wrong else rest[-1]]
    rest.remove(picked[0])
    while rest and len(picked) < SAMPLES:
        shown = {entry["truth"] for entry in picked}
        picked.append(min(rest, key=lambda entry: (entry["truth"] in shown, entry["truth"] != entry["predicted"])))
        rest.remove(picked[-1])
    return picked


def answer(manifest: dict[str, Any], entry: Entry, output: npt.NDArray[Any]) -> Answer:
    """The answer for a sample. Its label is the one that the snippets show for the rounded probabilities.

    output: a probability for each label, (labels,).
    """
    labels = label_lines(manifest["labels"]).splitlines()
    probabilities = [round(float(value), 4) for value in output]
    most = max(probabilities)
    values = {
        "truth": labels[manifest["labels"].index(entry["truth"])],
        "label": UNKNOWN if most < manifest["unknown"]["threshold"] else labels[probabilities.index(most)],
        "probabilities": probabilities,
    }
    return Answer(images={}, values=values)


def unknown_spec(manifest: dict[str, Any]) -> dict[str, Any]:
    """How a program tells pictures that show none of the labels."""
    note = f'if the largest number is below it, the picture probably shows none of the labels: say "{UNKNOWN}"'
    return {"unknown": {"threshold": manifest["unknown"]["threshold"], "note": note}}
