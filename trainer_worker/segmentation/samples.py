"""The held-out pictures that a segmenter's app pack shows, and the model's answers for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer_worker.publishing.kind import Answer, Entry
from trainer_worker.segmentation.headline import DICE, DICE_OF_SQUARES


def pick(held_out: Sequence[Entry]) -> list[Entry]:
    """The pictures with the lowest, the middle and the highest Dice."""
    ordered = sorted(held_out, key=lambda entry: (dice_of(entry), entry["file"]))
    return [ordered[index] for index in sorted({0, len(ordered) // 2, len(ordered) - 1})]


def dice_of(entry: Entry) -> float:
    """The Dice of a held-out picture, or of a square of it."""
    return float(entry[DICE] if DICE in entry else entry[DICE_OF_SQUARES])


def answer_foreground(manifest: dict[str, Any], entry: Entry, output: npt.NDArray[Any]) -> Answer:
    """The answer of a model for foreground: a mask that is 255 there. output: probabilities (side, side, 1)."""
    mask = (output[..., 0] > manifest["threshold"]).astype(np.uint8) * 255
    return Answer(images={"mask": mask}, values={"meanProbability": round(float(output.mean()), 4)})


def answer_classes(manifest: dict[str, Any], entry: Entry, output: npt.NDArray[Any]) -> Answer:
    """The answer of a model for classes: a mask of class numbers. output: probabilities (side, side, classes)."""
    means = [round(float(mean), 4) for mean in output.mean(axis=(0, 1))]
    return Answer(images={"mask": output.argmax(axis=-1).astype(np.uint8)}, values={"meanProbability": means})


def foreground_spec(manifest: dict[str, Any]) -> dict[str, Any]:
    """How a program tells foreground from background."""
    note = "one number a pixel: above the threshold it is labels[1], else labels[0]"
    return {"threshold": manifest["threshold"], "note": note}


def classes_spec(manifest: dict[str, Any]) -> dict[str, Any]:
    """How a program tells the classes apart."""
    return {"note": "one number a class for each pixel: the pixel is labels[i] of the largest number i, from 0"}
