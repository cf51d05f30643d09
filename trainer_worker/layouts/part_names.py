"""Folders and files whose names say which part of the caller's own split they are: `train/`, `valid/`, `test.csv`."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable

from trainer_worker.layouts.layout import Part

PART_WORDS = {
    "train": Part.TRAIN,
    "training": Part.TRAIN,
    "trainset": Part.TRAIN,
    "val": Part.VAL,
    "valid": Part.VAL,
    "validation": Part.VAL,
    "valset": Part.VAL,
    "test": Part.TEST,
    "testing": Part.TEST,
    "testset": Part.TEST,
}
#: Folders of pictures that the caller sets aside: beside a split they are named, but they don't make it unclear.
SET_ASIDE_WORDS = frozenset({"pred", "predict", "prediction", "predictions", "unlabeled", "unlabelled", "unused"})
#: What Google Drive calls the parts of one download: `flowers-20260101T101010Z-1-001`.
_PART_OF_DOWNLOAD = re.compile(r".+-20\d{6}T\d{6}Z(?:-\d+)+")
_STRICTEST_LAST = (Part.ANY, Part.TRAIN, Part.VAL, Part.TEST)
_WORD = re.compile(r"[^\W\d_]+")


def stricter(one: Part, other: Part) -> Part:
    """The part of a picture that is listed in two: TEST, then VAL, so that nothing trains that was meant to score."""
    return max(one, other, key=_STRICTEST_LAST.index)


def part_of(name: str) -> Part:
    """The part that a name is or contains as a word (`train`, `val2017`, `seg_test`); ANY where that is unclear."""
    return _read(name)[0]


def without_part(name: str) -> str:
    """A similar name that stands for no part: `trains` for `train`."""
    return _WORD.sub(lambda word: f"{word[0]}s" if word[0].casefold() in PART_WORDS else word[0], name)


def is_set_aside(name: str) -> bool:
    """Whether a folder's name says that its pictures are neither to train nor to score, such as `unlabeled_2`."""
    return not SET_ASIDE_WORDS.isdisjoint(_WORD.findall(name.casefold()))


def is_part_word(name: str) -> bool:
    """Whether a name is a word for a part and no more: `Test`, `train_2`, but not `train_station`."""
    return name.casefold().strip(" _-.()0123456789") in PART_WORDS


def is_part_of_download(name: str) -> bool:
    """Whether a folder or a zip is called like one of the parts of a download from Google Drive."""
    return bool(_PART_OF_DOWNLOAD.fullmatch(name))


def parts_of(names: Iterable[str]) -> dict[str, Part]:
    """The part of each name that stands for one, if together they are a split; else nothing.

    A split has a part to train on and one to score with, in names that are alike but for that word: `seg_train` and
    `seg_test`. A single folder called `train`, or classes called `train` and `test tube`, are no split.
    """
    alike: dict[tuple[str, ...], dict[str, Part]] = defaultdict(dict)
    for name in names:
        part, rest = _read(name)
        if part is not Part.ANY:
            alike[rest][name] = part
    splits = [parts for parts in alike.values() if Part.TRAIN in parts.values() and len(set(parts.values())) > 1]
    return splits[0] if len(splits) == 1 else {}


@functools.lru_cache(maxsize=10_000)
def _read(name: str) -> tuple[Part, tuple[str, ...]]:
    """The part, and the other words of the name."""
    words = _WORD.findall(name.casefold())
    named = [word for word in words if word in PART_WORDS]
    if len(named) != 1:
        return Part.ANY, tuple(words)
    return PART_WORDS[named[0]], tuple(word for word in words if word != named[0])
