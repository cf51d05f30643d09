"""What the model card of a segmenter says: its overlap with the true masks, and its limits. Pure text."""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer_worker.publishing.kind import Card
from trainer_worker.publishing.model_card import FEW_PICTURES, NAMED, cell
from trainer_worker.scores.intervals import bootstrap


def _foreground_scores(metrics: dict[str, Any]) -> list[str]:
    meaning = (
        "Dice is how far the model's foreground and the true one overlap: 0 not at all, 1\n"
        "exactly. Marking everything as foreground"
    )
    return _scores(metrics, meaning)


def _class_scores(metrics: dict[str, Any]) -> list[str]:
    meaning = (
        "Dice is how far the pixels that the model gives to a\n"
        "class and those of that class overlap: 0 not at all, 1 exactly. A picture's Dice is the mean of its classes,\n"
        "without the background. Marking everything as the most common class"
    )
    rows = []
    for name, found in metrics["per_class"].items():
        said = f"{found['dice']:.3f} | {found['iou']:.3f}" if found["pixels"] else "not tested | not tested"
        rows.append(f"| {cell(name)} | {said} |")
    table = "\n".join(["| class | Dice of all pixels | IoU of all pixels |", "|---|---|---|", *rows])
    text, worst = _scores(metrics, meaning)
    return [text, table, worst]


def _scores(metrics: dict[str, Any], meaning: str) -> list[str]:
    """meaning: explains Dice. It ends in the subject of a sentence about a model that gives all pixels one class."""
    entries = sorted(metrics["held_out"], key=lambda entry: (entry["dice"], entry["file"]))
    dice = [entry["dice"] for entry in entries]
    low, high = bootstrap(dice)
    quarter, middle, three_quarters = np.percentile(dice, (25, 50, 75))
    text = f"""## How good it is

**Dice {metrics["final"]["dice"]:.3f}, IoU {metrics["final"]["iou"]:.3f}**: the means of {len(dice)} held-out pictures,
which took no part in the training. {meaning} would give {metrics["baseline"]["all_foreground_dice"]:.3f}.

With other pictures of the same kind, expect a mean Dice between **{low:.2f} and {high:.2f}** (95 %, bootstrap).
Half of the held-out pictures lie between {quarter:.2f} and {three_quarters:.2f}, the middle one at {middle:.2f}."""
    if len(dice) < FEW_PICTURES:
        text += f"\n{len(dice)} pictures are few: take the score as a rough hint, and hold out more."
    worst = "\n".join(f"- {cell(entry['file'])}: {entry['dice']:.2f}" for entry in entries[:NAMED])
    return [text, f"Worst held-out pictures (Dice):\n\n{worst}"]


FOREGROUND = Card(
    purpose=lambda labels: "Tells for each pixel of a picture how likely it is foreground.",
    scores=_foreground_scores,
    limits="- It knows one kind of foreground, and gives a mask also for pictures that hold nothing of the kind.",
)

CLASSES = Card(
    purpose=lambda labels: (
        f"Says for each pixel of a picture which of {len(labels)} classes it shows: {', '.join(labels)}."
    ),
    scores=_class_scores,
    limits="- It knows these classes only, and gives every pixel one of them, whatever it shows.",
)
