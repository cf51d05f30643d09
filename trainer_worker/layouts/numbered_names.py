"""Pictures and masks that are called by numbers: numbers with other zeros in front, and numbers that are shifted."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence, Set

from trainer_worker.layouts.name_matching import NamedFile

#: Fewer files may have numbers at the same distance by chance.
_LEAST_NUMBERED = 3
_LAST_NUMBER = re.compile(r"(?P<before>.*?)(?P<number>\d{1,15})(?P<after>\D*)")

_Series = dict[tuple[tuple[str, ...], str, str], dict[int, NamedFile]]


def shifted_numbers(pictures: Sequence[NamedFile], masks: Sequence[NamedFile], alone: Set[str]) -> str:
    """A sentence if as many masks as pictures have the same numbers but for a shift; "" if not.

    pictures, masks: all files of each kind that lie in folders where some have no partner. alone: the paths of those
    without one. A series without any of them is paired as it should be.
    """
    of_masks: dict[tuple[str, ...], list[dict[int, NamedFile]]] = defaultdict(list)
    for (place, _, _), numbered in _series(masks).items():
        of_masks[place].append(numbered)
    for (place, _, _), shown in _series(pictures).items():
        for drawn in of_masks[place]:
            if not all(any(file.path in alone for file in series.values()) for series in (shown, drawn)):
                continue
            if shift := _shift(sorted(shown), sorted(drawn)):
                first, last = min(shown), max(shown)
                return (
                    f"There are {len(shown)} pictures from {shown[first].path} to {shown[last].path}, and as many "
                    f"masks from {drawn[first + shift].path} to {drawn[last + shift].path}, whose numbers are "
                    f"{abs(shift)} {'higher' if shift > 0 else 'lower'}."
                )
    return ""


def _series(files: Sequence[NamedFile]) -> _Series:
    """The files of each place by their last number, together with those whose names are alike but for that number."""
    series: _Series = defaultdict(dict)
    for file in files:
        if match := _LAST_NUMBER.fullmatch(file.stem):
            key = (file.meaning.place, match["before"], match["after"])
            series[key][int(match["number"])] = file
    return {key: numbered for key, numbered in series.items() if len(numbered) >= _LEAST_NUMBERED}


def _shift(shown: Sequence[int], drawn: Sequence[int]) -> int:
    """How much higher all numbers of the masks are than those of the pictures; 0 if they differ in another way."""
    if len(shown) != len(drawn):
        return 0
    shifts = {mask - picture for picture, mask in zip(shown, drawn, strict=True)}
    return shifts.pop() if len(shifts) == 1 else 0
