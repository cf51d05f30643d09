"""What the model card of a classifier says: its scores class by class, and its limits. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer_worker.publishing.kind import Card
from trainer_worker.publishing.model_card import NAMED, cell


def _purpose(labels: Sequence[str]) -> str:
    return f"Says which of {len(labels)} things a picture shows: {', '.join(labels)}."


def _scores(metrics: dict[str, Any]) -> list[str]:
    score, confusion = metrics["score"], np.asarray(metrics["confusion_matrix"])
    right, of = score["right"], score["pictures"]
    how = "They took no part in the training."
    if score["method"] == "cross_validation":
        how = (
            f"They are too few to hold some out, so {score['folds']} models like this one were trained, and each\n"
            "picture was shown to one that had not trained on it (cross-validation)."
        )
    text = f"""## How good it is

**Right on {right} of {of} pictures: {score["value"]:.1%}.** {how}

With other pictures of the same kind, expect a share between **{score["low"]:.0%} and {score["high"]:.0%}** (the 95 %
interval, Wilson). Always answering the most frequent class would be right on
{metrics["baseline"]["majority_class_accuracy"]:.0%}."""
    if not score["enough"]:
        text += f"\n{of} pictures are not enough to tell more. Take the score as a rough hint, and add pictures."
    return [text, _class_table(metrics), _confusions(confusion, metrics["labels"])]


def _class_table(metrics: dict[str, Any]) -> str:
    rows = [
        "| class | pictures | scored with | found (recall) | right when named (precision) |",
        "|---|---|---|---|---|",
    ]
    for entry in metrics["per_class"]:
        recall, precision = _share(entry, "recall", "not tested"), _share(entry, "precision", "never named")
        name, images = cell(entry["label"]), metrics["images_per_class"][entry["label"]]
        rows.append(f"| {name} | {images} | {entry['support']} | {recall} | {precision} |")
    return "\n".join(rows)


def _share(entry: dict[str, Any], name: str, without: str) -> str:
    if entry[f"{name}_low"] is None:
        return without
    return f"{entry[name]:.0%} ({entry[f'{name}_low']:.0%} to {entry[f'{name}_high']:.0%})"


def _confusions(confusion: Any, labels: Sequence[str]) -> str:
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    if not wrong.any():
        return "Worst confusions: none among these pictures."
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
