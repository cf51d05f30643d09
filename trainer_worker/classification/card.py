"""What the model card of a classifier says: its scores class by class, and its limits. Pure text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer_worker.publishing.kind import Card
from trainer_worker.publishing.model_card import NAMED, cell
from trainer_worker.reporting.figures import percent, percent_in_words, percent_range


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

**Right on {right} of {of} pictures: {percent(score["value"], of)}.** {how}

With other pictures of the same kind, expect **{percent_range(score["low"], score["high"])}** to be right (the 95 %
interval, Wilson). Always answering the most frequent class would be right on
{percent(metrics["baseline"]["majority_class_accuracy"])}."""
    if not score["enough"]:
        text += f"\n{of} pictures are not enough to tell more. Take the score as a rough hint, and add pictures."
    return [text, _class_table(metrics), _confusions(confusion, metrics["labels"]), _confidence(metrics)]


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
    return f"{percent(entry[name])} ({percent_range(entry[f'{name}_low'], entry[f'{name}_high'])})"


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


def _confidence(metrics: dict[str, Any]) -> str:
    calibration, unknown = metrics["calibration"], metrics["unknown"]
    before, after = (f"{100 * calibration[name]:.1f}" for name in ("ece_before", "ece_after"))
    text = f"""## How sure it is

Probabilities are calibrated: of answers with 80 %, about 80 % should be right. On pictures that took no part in this,
probability and share of right answers were {after} points apart on average, and {before} without the calibration.

Below a probability of **{100 * unknown["threshold"]:.1f} %** an app should say "unknown"."""
    if unknown["kept"] is not None:
        text += f" {percent(unknown['kept'])} of the right answers lie above."
    if unknown["spotted"] is not None:
        spotted = percent_in_words(unknown["spotted"])
        text += f"\nOf pictures of a class that it doesn't know, about {spotted} would lie below."
    return text


CARD = Card(
    purpose=_purpose,
    scores=_scores,
    limits=(
        "- It knows these classes only. It gives one of them to pictures of anything else as well, and is often sure\n"
        '  enough not to say "unknown".\n'
        "- A probability is a measured chance of being right for pictures of the same kind only. For others it may be\n"
        "  far too high."
    ),
)
