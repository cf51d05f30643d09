"""What a segmenter's scores mean: intervals, words, and the classes that nothing can be said of. Pure.

A score that is measured in another way has another name, wherever it is told (docs/results.md, "Names of scores").
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer_worker.reporting.figures import percent_in_words, percent_range
from trainer_worker.scores.intervals import NOT_ENOUGH, bootstrap
from trainer_worker.segmentation.scores import MaskScores

#: The mean Dice of whole held-out pictures: the headline of a model.
DICE = "dice"
#: That of squares of held-out pictures, as a model for tiles takes them.
DICE_OF_SQUARES = "dice_of_squares"
#: That of the first held-out pictures, where the outputs for all of them would take too much memory.
DICE_OF_SOME = "dice_of_some"
#: A score is not enough to tell how good a model is if its interval is wider than this.
WIDEST_INTERVAL = 0.3


def is_enough(low: float, high: float) -> bool:
    return high - low <= WIDEST_INTERVAL


def describe_score(name: str, scores: MaskScores) -> dict[str, Any]:
    """`score` in metrics.json. name: DICE or DICE_OF_SQUARES.

    The interval is for other pictures like the held-out ones. `sentence` is for people who don't know what Dice is.
    """
    low, high = bootstrap(scores.dice_per_image)
    enough = is_enough(low, high)
    return {
        "name": name,
        "value": scores.dice,
        "low": low,
        "high": high,
        "pictures": len(scores.dice_per_image),
        "right": None,
        "method": "held_out",
        "folds": 1,
        "enough": enough,
        "sentence": _sentence(name, scores, low, high, enough),
    }


def _sentence(name: str, scores: MaskScores, low: float, high: float, enough: bool) -> str:
    unit = "squares of photos" if name == DICE_OF_SQUARES else "photos"
    likely = percent_range(low, high)
    if enough:
        return (
            f"On new photos of this kind, the model's masks and the true ones will overlap by {likely} on average. "
            f"On the {len(scores.dice_per_image)} {unit} that scored it they overlap by "
            f"{percent_in_words(scores.dice)}; at 100 % they would be the same."
        )
    return (
        f"There are too few {unit} to tell how good the model is: on new ones of this kind, its masks and the true "
        f"ones will overlap by {likely} on average. Add photos with masks."
    )


def headline(name: str, scores: MaskScores, score: dict[str, Any], images: int) -> dict[str, float]:
    """The metrics of the task, by their names. score: from describe_score. images: pictures in the folder."""
    suffix = name.removeprefix(DICE)
    return {
        name: scores.dice,
        f"{name}_low": score["low"],
        f"{name}_high": score["high"],
        f"iou{suffix}": scores.iou,
        f"dice_all_pixels{suffix}": scores.dice_all_pixels,
        f"iou_all_pixels{suffix}": scores.iou_all_pixels,
        "images": float(images),
    }


def describe_classes(scores: MaskScores) -> dict[str, dict[str, Any]]:
    """`per_class` in metrics.json: Dice and IoU over the pixels of all pictures, with an interval for Dice.

    pictures: those of the held-out ones that show the class. verdict: NOT_ENOUGH where the interval says nothing.
    """
    both, true, found = scores.counts
    described: dict[str, dict[str, Any]] = {}
    for number, (name, figures) in enumerate(scores.per_class.items()):
        pixels = true[:, number] + found[:, number]
        concerned = pixels > 0
        low: float | None = None
        high: float | None = None
        if true[:, number].any():
            each = 2 * both[concerned, number] / pixels[concerned]
            low, high = bootstrap(each, pixels[concerned])
        tells = low is not None and high is not None and is_enough(low, high)
        described[name] = {
            **figures,
            "dice_low": low,
            "dice_high": high,
            "pictures": int(np.count_nonzero(true[:, number])),
            "verdict": "" if tells else NOT_ENOUGH,
        }
    return described
