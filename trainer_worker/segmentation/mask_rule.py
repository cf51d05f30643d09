"""What the values of a set's masks mean: one rule for all of them, which read_mask applies. numpy only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainer_worker.segmentation.classes import FOREGROUND_OR_NOT, Mask, MaskClasses
from trainer_worker.segmentation.mask_values import TRANSPARENT, Reading

#: Stands for a value that the rule doesn't know, while a mask is read. No class has this number (MAX_CLASSES).
UNKNOWN = 254


@dataclass(frozen=True)
class MaskRule:
    """Turns the values of masks into class numbers.

    meaning: from a value, in that reading, to a class number or UNLABELLED. takes_nearest: any other value counts as
    the nearest of these (blurred edges, the noise of JPEG); otherwise it is unknown. sentence: the rule in words.
    """

    classes: MaskClasses
    reading: Reading
    meaning: Mapping[float, int]
    takes_nearest: bool = False
    sentence: str = ""

    def applied(self, codes: Any) -> tuple[Mask, list[float]]:
        """uint8 (h, w) of class numbers, and the values that are unknown, from codes (h, w) of any type."""
        if codes.dtype == np.uint8:
            table = self.class_of(np.arange(256, dtype=np.float64))
            numbers = table[codes]
            unknown = np.flatnonzero(np.bincount(codes[numbers == UNKNOWN], minlength=256))
        else:
            values, rows = np.unique(codes, return_inverse=True)
            table = self.class_of(values.astype(np.float64))
            numbers, unknown = table[rows].reshape(codes.shape), values[table == UNKNOWN]
        return numbers, [float(value) for value in unknown]

    def class_of(self, values: Any) -> Any:
        """The class number of each value, uint8 (n,): UNKNOWN for one that the rule doesn't know."""
        known = np.array(sorted(self.meaning), np.float64)
        numbers = np.array([self.meaning[value] for value in known.tolist()], np.uint8)
        places = np.searchsorted(known, values).clip(max=len(known) - 1)
        found = np.where(known[places] == values, numbers[places], UNKNOWN).astype(np.uint8)
        found[values == TRANSPARENT] = self.meaning.get(TRANSPARENT, 0)
        if self.takes_nearest:
            other = found == UNKNOWN
            found[other] = self._nearest(values[other])
        return found

    def _nearest(self, values: Any) -> Any:
        """The class of the nearest value; of two that are equally near, the one with the lower class number.

        A pixel that can be seen is never near to a transparent one.
        """
        best = np.full(len(values), np.inf)
        numbers = np.zeros(len(values), np.uint8)
        seen = {value: number for value, number in self.meaning.items() if value != TRANSPARENT}
        for value, number in sorted(seen.items(), key=lambda item: item[1]):
            distance = self._distance(values, value)
            numbers[distance < best] = number
            best = np.minimum(best, distance)
        return numbers

    def _distance(self, values: Any, other: float) -> Any:
        if self.reading is not Reading.COLOURS:
            return np.abs(np.nan_to_num(values) - other)
        whole, target = values.astype(np.int64), int(other)
        channels = [((whole >> shift & 255) - (target >> shift & 255)) ** 2 for shift in (16, 8, 0)]
        return np.sum(channels, axis=0, dtype=np.float64)


#: For masks that are known to be black and white.
BLACK_AND_WHITE = MaskRule(FOREGROUND_OR_NOT, Reading.NUMBERS, {0.0: 0, 255.0: 1}, takes_nearest=True)
