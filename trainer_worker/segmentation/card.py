"""What the model card of a segmenter says: its overlap with the true masks, and its limits. Pure text."""

from __future__ import annotations

from typing import Any

import numpy as np

from protocol.percent import in_percent
from trainer_worker.publishing.kind import Card
from trainer_worker.publishing.model_card import NAMED, cell
from trainer_worker.reporting.figures import percent_range
from trainer_worker.segmentation.headline import DICE_OF_SQUARES
from trainer_worker.segmentation.samples import dice_of


def _foreground_scores(metrics: dict[str, Any]) -> list[str]:
    meaning = (
        "Dice is how far the model's foreground and the true one overlap: 0 % not at all,\n"
        "100 % exactly. Marking everything as foreground"
    )
    return _scores(metrics, meaning)


def _class_scores(metrics: dict[str, Any]) -> list[str]:
    meaning = (
        "Dice is how far the pixels that the model gives to a\n"
        "class and those of that class overlap: 0 % not at all, 100 % exactly. A picture's Dice is the mean of its\n"
        "classes, without the background. Marking everything as the most common class"
    )
    rows = []
    for name, found in metrics["per_class"].items():
        said = "not tested | | not tested"
        if found["pixels"]:
            interval = percent_range(found["dice_low"], found["dice_high"])
            said = f"{in_percent(found['dice'])} | {interval} {found['verdict']} | {in_percent(found['iou'])}"
        rows.append(f"| {cell(name)} | {found['pictures']} | {said} |")
    head = "| class | held-out pictures | Dice of all pixels | 95 % interval | IoU of all pixels |"
    text, worst = _scores(metrics, meaning)
    return [text, "\n".join([head, "|---|---|---|---|---|", *rows]), worst]


def _scores(metrics: dict[str, Any], meaning: str) -> list[str]:
    """The section on the scores.

    meaning: explains Dice. It ends in the subject of a sentence about a model that gives all pixels one class.
    """
    entries, score = sorted(metrics["held_out"], key=lambda entry: (dice_of(entry), entry["file"])), metrics["score"]
    unit = "squares of held-out pictures" if score["name"] == DICE_OF_SQUARES else "held-out pictures"
    quarter, middle, three_quarters = np.percentile([dice_of(entry) for entry in entries], (25, 50, 75))
    text = f"""## How good it is

{score["sentence"]}

**Dice {in_percent(score["value"])}**, the mean of {score["pictures"]} {unit}, which took no part in the training.
{meaning} would give {in_percent(metrics["baseline"]["all_foreground_dice"])}.

With other pictures of the same kind, expect a mean Dice of **{percent_range(score["low"], score["high"])}** (95 %,
bootstrap). Half of the {unit} lie between {in_percent(quarter)} and {in_percent(three_quarters)}, the middle one at
{in_percent(middle)}."""
    worst = "\n".join(f"- {cell(entry['file'])}: {in_percent(dice_of(entry))}" for entry in entries[:NAMED])
    return [text, f"Worst {unit} (Dice):\n\n{worst}"]


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
