"""The classes of a set's masks: foreground or not, or those that a small file lists.

projectDir/classes.txt      optional: one class name a line; the first line is class 0, the background. A line may end
                            in the colour of the class in the masks: `road 128 64 128` or `road,128,64,128`
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from protocol.errors import TrainingError
from trainer_worker.layouts.layout import MAX_CLASS_NAME_CHARS, MAX_CLASSES, ListedClass
from trainer_worker.pictures.text_files import CLASSES_FILE, MAX_TEXT_FILE_BYTES
from trainer_worker.pictures.user_files import RefusedFileError, UserFiles

#: The value of pixels that nobody labelled (as in PASCAL VOC): they count neither in the loss nor in a score.
UNLABELLED = 255
NAMED_IN_ERRORS = 5

_NUMBERED = re.compile(r"\s*(?P<number>\d{1,3})(?:\s*[:.)=]\s*|\s+)(?P<name>\S.*)")

Mask = np.ndarray[Any, np.dtype[np.uint8]]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class MaskClasses:
    """names[i] is class i, background first.

    listed: whether a small file lists the classes. If not, masks only tell foreground from background.
    colours[i] is the colour of class i in the masks, None if the list doesn't say it; () if it says none.
    numbers[i] is the value of class i in masks of numbers; () if that is i.
    """

    names: tuple[str, ...]
    listed: bool
    colours: tuple[Colour | None, ...] = ()
    numbers: tuple[int | None, ...] = ()

    @classmethod
    def of(cls, listed: Sequence[ListedClass] | None) -> MaskClasses:
        """The classes of a recognised layout. Raises TrainingError bad_classes."""
        if listed is None:
            return FOREGROUND_OR_NOT
        _require_good_names([listing.name for listing in listed])
        colours = tuple(listing.colour for listing in listed)
        numbers = tuple(listing.number for listing in listed)
        return cls(
            tuple(listing.name for listing in listed),
            listed=True,
            colours=colours if any(colours) else (),
            numbers=() if numbers == tuple(range(len(numbers))) else numbers,
        )

    def value_of(self, number: int) -> int | None:
        """The value of class `number` in masks of numbers; None if only its colour is known."""
        return self.numbers[number] if self.numbers else number

    @property
    def channels(self) -> int:
        """The channels of the model's output: a probability for each class, or one for foreground."""
        return len(self.names) if self.listed else 1


FOREGROUND_OR_NOT = MaskClasses(("background", "foreground"), listed=False)


class UnknownClassError(Exception):
    """A mask holds values that stand for no class."""

    def __init__(self, path: Path, values: Sequence[float]) -> None:
        self.path, self.values = path, values
        super().__init__(f"{path.name} {_what(values)}")


def _what(values: Sequence[float]) -> str:
    some = ", ".join(f"{value:g}" for value in values[:NAMED_IN_ERRORS])
    more = f" and {len(values) - NAMED_IN_ERRORS} more" if len(values) > NAMED_IN_ERRORS else ""
    return f"holds the value{'' if len(values) == 1 else 's'} {some}{more}"


def read_classes(files: UserFiles, path: Path | None = None) -> MaskClasses:
    """The classes of classes.txt; FOREGROUND_OR_NOT where there is no such file. Raises TrainingError bad_classes.

    path: of the file, by default in the project folder.
    """
    try:
        content = files.read_small(path or files.project_dir / CLASSES_FILE, MAX_TEXT_FILE_BYTES)
    except RefusedFileError as refused:
        raise _bad_classes(f"is not used: {refused.reason}") from refused
    if content is None:
        return FOREGROUND_OR_NOT
    try:
        lines = content.decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise _bad_classes(f"is not UTF-8 text (byte {error.start})") from error
    return MaskClasses.of([_listed(line, number) for number, line in enumerate(_without_numbers(lines))])


def _without_numbers(lines: Sequence[str]) -> Sequence[str]:
    """The lines without the number at the beginning of each (`0 background`, `1: road`). Raises bad_classes."""
    found = [_NUMBERED.fullmatch(line) for line in lines]
    numbered = [match for match in found if match]
    first = int(numbered[0]["number"]) if numbered else 0
    numbers = [int(match["number"]) for match in numbered]
    if len(lines) < 2 or numbers != list(range(first, first + len(lines))):
        return lines
    if first:
        raise _bad_classes(f"numbers its lines from {first}, and so it lacks 0, the background")
    return [match["name"] for match in numbered]


def _listed(line: str, number: int) -> ListedClass:
    """A line of classes.txt. Its number is that of the line."""
    text = unicodedata.normalize("NFC", line.strip())
    for separator in (",", None):
        words = text.rsplit(separator, 3)
        if colour := _colour(words[1:]):
            return ListedClass(words[0].strip(), number, colour)
    return ListedClass(text, number)


def _colour(parts: Sequence[str]) -> Colour | None:
    """Three numbers from 0 to 255 in words; None if they are none."""
    words = [part.strip() for part in parts]
    if len(words) != 3 or not all(word.isascii() and word.isdigit() and len(word) <= 3 for word in words):
        return None
    red, green, blue = (int(word) for word in words)
    return (red, green, blue) if max(red, green, blue) <= 255 else None


def _require_good_names(names: Sequence[str]) -> None:
    if not names:
        raise _bad_classes("is empty")
    for number, name in enumerate(names):
        line = f"in line {number + 1}"
        if not name:
            raise _bad_classes(f"has nothing {line}")
        if not name.isprintable() or len(name) > MAX_CLASS_NAME_CHARS:
            raise _bad_classes(f"has no class name {line}, but {name[:40]!r}")
        before, comma, index = name.rpartition(",")
        if comma and index.strip().isdecimal():
            raise _bad_classes(f"has {name!r} {line}; write {before!r} alone, since its line is its number")
        if name in names[:number]:
            raise _bad_classes(f"has {name!r} {line} and before")
    if len(names) == 1:
        raise _bad_classes(f"lists {names[0]!r} only, which is the background")
    if len(names) > MAX_CLASSES:
        raise _bad_classes(f"lists {len(names)} classes; {MAX_CLASSES} are possible")


def _bad_classes(problem: str) -> TrainingError:
    return TrainingError(
        "bad_classes",
        f"{CLASSES_FILE} {problem}. It takes one class name a line, background first, in the order of their "
        "numbers in the masks, each with its colour behind it if the masks are coloured. "
        "Correct it, or delete it if masks only tell foreground from background.",
    )


def unknown_values(classes: MaskClasses, found: Sequence[tuple[str, Sequence[float]]]) -> TrainingError:
    """The error for masks with values that are no class. found: the path of each such mask, and these values."""
    some = "; ".join(f"{name} {_what(values)}" for name, values in found[:NAMED_IN_ERRORS])
    more = f"; and {len(found) - NAMED_IN_ERRORS} more masks" if len(found) > NAMED_IN_ERRORS else ""
    last = len(classes.names) - 1
    listed = f"{CLASSES_FILE} lists" if classes.listed else "The classes are"
    return TrainingError(
        "bad_classes",
        f"Masks hold values that are no class: {some}{more}. {listed} 0 to {last} "
        f"({classes.names[0]!r} to {classes.names[last]!r}); {UNLABELLED} is for pixels without a label. "
        "Correct the masks, or list the missing classes; the first line is the background.",
    )


def pictures_with(masks: Any, classes: int) -> Any:
    """Whether each mask has any pixel of each class: bool (n, classes), from uint8 (n, h, w)."""
    return np.array([np.bincount(mask.ravel(), minlength=classes)[:classes] > 0 for mask in masks])


def rarest_class(present: Any) -> Any:
    """For each picture the number of the foreground class in it that the fewest pictures have, else 0: int64 (n,).

    present: from `pictures_with`. A split that is stratified by these numbers has rare classes on both sides.
    """
    foreground = present.copy()
    foreground[:, 0] = False
    counts = np.where(foreground, foreground.sum(axis=0), len(present) + 1)
    return np.where(foreground.any(axis=1), counts.argmin(axis=1), 0).astype(np.int64)
