"""Finds copies of one picture whose masks contradict each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from protocol.data_report import Finding, Severity, finding
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.folders import Examples, MaskFolders

#: Two masks of one picture contradict each other if less than this share of their foreground is the same.
LEAST_SHARED = 0.5


def contradicting_masks(folders: MaskFolders, examples: Examples, same_look: Any) -> list[Finding]:
    """Findings on copies whose masks contradict each other. Tiles of pictures are not compared.

    same_look: int64 (pairs,), equal for pictures that look the same.
    """
    if len(examples.owners) != len(folders.pairs):
        return []
    found: list[str] = []
    _, first, group = np.unique(same_look, return_index=True, return_inverse=True)
    for row, original in enumerate(first[group].tolist()):
        if row != original and _shared(examples.masks[original], examples.masks[row]) < LEAST_SHARED:
            found += [folders.name_of(folders.pairs[number].picture) for number in (original, row)]
    if not found:
        return []
    files = list(dict.fromkeys(found))
    sentence = f"{len(files)} pictures look the same as another one, but their masks mark something else."
    return [finding("copies_with_other_masks", Severity.WARNING, sentence, "Keep the right mask of each.", files)]


def _shared(one: Any, other: Any) -> float:
    """The share of the labelled foreground of either mask that has the same class in both."""
    labelled = (one != UNLABELLED) & (other != UNLABELLED)
    either = labelled & ((one != 0) | (other != 0))
    return float((one == other)[either].mean()) if either.any() else 1.0
