"""Finds copies of one picture whose masks contradict each other, and one mask that serves different pictures."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import numpy as np

from protocol.data_report import Finding, Severity, finding
from trainer_worker.segmentation.classes import UNLABELLED
from trainer_worker.segmentation.folders import Examples, MaskFolders

#: Two masks of one picture contradict each other if less than this share of their foreground is the same.
LEAST_SHARED = 0.5
#: One mask is repeated if at least so many different pictures have it, and this share of all pictures such a mask.
_LEAST_PICTURES, LEAST_REPEATED = 3, 0.1


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


def repeated_masks(folders: MaskFolders, examples: Examples, together: Any) -> list[Finding]:
    """Masks that are the same for different pictures.

    together: int64 (pairs,), equal for copies, versions and series of one picture. Tiles are not compared.
    """
    if len(examples.owners) != len(folders.pairs):
        return []
    rows: dict[bytes, list[int]] = defaultdict(list)
    for row, mask in enumerate(examples.masks):
        if (mask != mask.flat[0]).any():
            rows[hashlib.sha256(mask.tobytes()).digest()].append(row)
    different = [same for same in rows.values() if len(np.unique(together[same])) >= _LEAST_PICTURES]
    repeated = sorted(row for same in different for row in same)
    if len(repeated) < LEAST_REPEATED * len(folders.pairs):
        return []
    files = [folders.name_of(folders.pairs[row].picture) for row in repeated]
    sentence = f"{len(files)} of {len(folders.pairs)} pictures have the same mask as other, different pictures."
    cure = "This is right if the object never moves, or for versions of one picture. Otherwise draw the right masks."
    return [finding("masks_repeated", Severity.WARNING, sentence, cure, files)]


def _shared(one: Any, other: Any) -> float:
    """The share of the labelled foreground of either mask that has the same class in both."""
    labelled = (one != UNLABELLED) & (other != UNLABELLED)
    either = labelled & ((one != 0) | (other != 0))
    return float((one == other)[either].mean()) if either.any() else 1.0
