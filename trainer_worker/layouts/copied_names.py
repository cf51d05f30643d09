"""Names of classes that are called like copies, versions or parts of a class."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Set

_COPY_WORDS = "copy|kopie|copie|copia|のコピー"
_VERSION_WORDS = (
    f"{_COPY_WORDS}|old|new|bak|backup|orig|original|resized|augmented|aug|cropped|flipped|mirrored|rotated"
)
#: Names that systems and people give to copies and versions of a folder: `cat (1)`, `cat - Copy (2)`, `Copy of cat`,
#: `cat_old`, `cat_resized`, `cat2`. Of the banknotes 100 and 1000 none is a copy: no digit follows another one.
_VERSION_BEFORE = re.compile(r"^(?:copy of|kopie von|copie de|copia de|copia di|old|new|alte?|neue?)[ _-]")
_VERSION_BEHIND = re.compile(
    rf"(?P<of>.+?)(?:[\s._-]\(?(?:{_VERSION_WORDS})\)?(?: \d+)?)?"
    r"(?:\(\d+\)|(?<=\w\w[^\W\d])[_-]?\d{1,2})?"
)
#: Ends of names of which several tell of one class, even if none is called like it: `cat (1)` and `cat (2)`.
_OF_SEVERAL = re.compile(rf"[\s._-]\(?(?:{_COPY_WORDS})\)?(?:\s?\(?\d+\)?)?$|\(\d+\)$", re.IGNORECASE)
#: The same behind a letter: `cat_part1` and `cat_part2`.
_OF_PIECES = re.compile(r"[\s._-](?:part|batch|chunk|shard)[\s._-]?\d+$", re.IGNORECASE)
#: What stands between the name of a class and such an end. These patterns match one such sign at most and the others
#: are stripped, because a pattern that may match many of them takes long for a name that is made of them.
_SEPARATORS = " \t._-"
#: Names that hold the name of a part of a split: `hotdog_test`, `trainA`.
_OF_SPLIT = re.compile(
    r"(?P<part>train|val|valid|test)(?:[\W_]+|(?=[A-Z\d]))(?P<rest>.+)"
    r"|(?P<rest_before>.+)[\W_](?P<part_after>train|val|valid|test)"
)
#: Longer ones are sentences, and would take long to look at.
_LONGEST_NAME = 200


def originals_of(labels: Set[str]) -> dict[str, set[str]]:
    """What each name may be a copy or a version of: `old rose` is one of `rose`, `old rose (1)` of either.

    The originals are in lower case, with single blanks.
    """
    return {label: _originals(_plain(label)) for label in labels if len(label) <= _LONGEST_NAME}


def copies(originals: Mapping[str, Set[str]]) -> set[str]:
    """The names that are called like a copy or a version of another one. originals: as originals_of returns them."""
    known = {_plain(label) for label in originals}
    return {label for label, names in originals.items() if not known.isdisjoint(names)}


def parts_of_classes(labels: Set[str]) -> set[str]:
    """The names that look like parts of one class: of a split (`cat_test` beside `cat`), or copies or pieces of it.

    Copies and pieces of a class count if there are several, but not if all names are called so.
    """
    split: dict[str, dict[str, str]] = defaultdict(dict)
    several: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        if len(label) > _LONGEST_NAME:
            continue
        if match := _OF_SPLIT.fullmatch(label):
            split[match["rest"] or match["rest_before"]][match["part"] or match["part_after"]] = label
        if several_of := _before_number(label):
            several[several_of.casefold()].add(label)
    pieces = {label for found in several.values() if 1 < len(found) < len(labels) for label in found}
    return pieces | {
        label for rest, found in split.items() if len(found) > 1 or rest in labels for label in found.values()
    }


def _plain(label: str) -> str:
    return " ".join(label.casefold().split())


def _before_number(label: str) -> str:
    """The name of the class of which this label is one of several copies or pieces; "" if it is called like none."""
    if match := _OF_SEVERAL.search(label):
        return label[: match.start()].rstrip(_SEPARATORS)
    if match := _OF_PIECES.search(label):
        name = label[: match.start()].rstrip(_SEPARATORS)
        return name if any(map(str.isalpha, name)) else ""
    return ""


def _originals(name: str) -> set[str]:
    names = {name, _VERSION_BEFORE.sub("", name)}
    for each in tuple(names):
        if match := _VERSION_BEHIND.fullmatch(each):
            is_set_off = each[match.end("of") :].startswith((*_SEPARATORS, "("))
            names.add(match["of"].rstrip(_SEPARATORS) if is_set_off else match["of"])
    return names - {name, ""}
