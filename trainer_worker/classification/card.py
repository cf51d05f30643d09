"""What the model card of a classifier says: its scores class by class, and its limits. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer_worker.publishing.intervals import wilson
from trainer_worker.publishing.kind import Card
from trainer_worker.publishing.model_card import FEW_PICTURES, NAMED, cell


def _purpose(labels: Sequence[str]) -> str:
    return f"Says which of {len(labels)} things a picture shows: {', '.join(labels)}."


def _scores(metrics: dict[str, Any]) -> list[str]:
    confusion = np.asarray(metrics["confusion_matrix"])
    of, right = int(confusion.sum()), int(np.trace(confusion))
    low, high = wilson(right, of)
    text = f"""## How good it is

**Right on {right} of {of} held-out pictures: {right / of:.1%}.** They took no part in the training.

With other pictures of the same kind, expect a share between **{low:.0%} and {high:.0%}** (the 95 % interval, Wilson).
Always answering the most frequent class would be right on {metrics["baseline"]["majority_class_accuracy"]:.0%}."""
    if of < FEW_PICTURES:
        text += f"\n{of} pictures are few: take the score as a rough hint, and hold out more."
    return [text, _class_table(metrics), _confusions(confusion, metrics["labels"])]


def _class_table(metrics: dict[str, Any]) -> str:
    rows = ["| class | pictures | held out | found (recall) | right when named (precision) |", "|---|---|---|---|---|"]
    times_named = np.asarray(metrics["confusion_matrix"]).sum(axis=0)
    for entry, named in zip(metrics["per_class"], times_named, strict=True):
        tested = entry["support"] > 0
        recall = f"{entry['recall']:.0%}" if tested else "not tested"
        precision = f"{entry['precision']:.0%}" if named else "never named"
        name, images = cell(entry["label"]), metrics["images_per_class"][entry["label"]]
        rows.append(f"| {name} | {images} | {entry['support']} | {recall} | {precision} |")
    return "\n".join(rows)


def _confusions(confusion: Any, labels: Sequence[str]) -> str:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "Worst confusions: none among the held-out pictures."
    pairs = sorted(np.argwhere(wrong > 0).tolist(), key=lambda pair: (-int(wrong[pair[0], pair[1]]), pair))
    rows = [
        f"- {cell(labels[true])} taken for {cell(labels[given])}: {wrong[true, given]} of {confusion[true].sum()}"
        for true, given in pairs[:NAMED]
    ]
    return "Worst confusions:\n\n" + "\n".join(rows)


CARD = Card(
    purpose=_purpose,
    scores=_scores,
    limits=(
        "- It knows these classes only, and names one of them for every picture, whatever it shows.\n"
        "- A probability orders the answers; it is no measured chance of being right."
    ),
)
