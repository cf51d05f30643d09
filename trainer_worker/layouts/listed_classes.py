"""Findings about what a list gives as classes: which column was taken, and labels that name several of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set

from protocol.data_report import Finding, Severity, finding
from protocol.text import printable
from trainer_worker.layouts.label_tables import LABEL_COLUMNS, Table
from trainer_worker.layouts.layout import LabelledFile
from trainer_worker.layouts.name_lists import some_of

#: What people write between several classes of one picture.
_JOINTS = re.compile(r"[,;|&+/]")
_AROUND_PIECES = "[]'\" \t"
#: Those of them that are part of no name.
_SURE_JOINTS = re.compile(r"[;|]|^\[.*\]$")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")
_THOUSANDS = re.compile(r"-?[1-9]\d{0,2},\d{3}")
#: A guessed column with more different numbers than this looks like measurements.
_MOST_NUMBERED_CLASSES = 2


def column_findings(table: Table, column: int, guessed: bool) -> list[Finding]:
    """What the owner of a list should know of the column that gives the classes.

    guessed: whether its name does not say so.
    """
    found = []
    path, name = printable(table.path), printable(table.header[column].strip())
    values = {row[column].strip() for row in table.rows} - {""}
    if guessed and name:
        numbers = len(values) > _MOST_NUMBERED_CLASSES and all(map(_NUMBER.fullmatch, values))
        sentence = f"{path} has no column called label, so the column {name} gives the classes."
        cure = ""
        if numbers:
            sentence += " It holds numbers, and each is a class of its own. To the model, these classes have no order."
            cure = "If they are measurements, write ranges instead, such as young and old."
        found.append(finding("guessed_column", Severity.WARNING if numbers else Severity.INFO, sentence, cure))
    elif len(values) > _MOST_NUMBERED_CLASSES and all(map(_NUMBER.fullmatch, values)) and not _are_whole(values):
        called = f"The column {name}" if name else f"Column {column + 1}"
        sentence = f"{called} of {path} holds numbers with decimals, and each is a class of its own."
        cure = "If they are measurements, write ranges instead, such as small and large."
        found.append(finding("measured_classes", Severity.WARNING, sentence, cure))
    others = [other for other in table.columns(LABEL_COLUMNS) if other != column and not _same(table, column, other)]
    if others:
        named = some_of([table.header[other].strip() for other in others])
        sentence = f"{path} has several columns of classes. {name} is used, and {named} is not."
        cure = f"If another column holds the classes that you mean, delete the column {name}."
        found.append(finding("other_label_columns", Severity.WARNING, sentence, cure))
    return found


def _are_whole(numbers: Iterable[str]) -> bool:
    """Whether none has decimals. A program writes classes as 1.0 and 2.0 at times."""
    points = (number.replace(",", "" if _THOUSANDS.fullmatch(number) else ".") for number in numbers)
    return all(float(point).is_integer() for point in points)


def _same(table: Table, column: int, other: int) -> bool:
    """Whether another column says the same in other words, as numbers of classes do, or nothing at all."""
    pairs: dict[str, set[str]] = defaultdict(set)
    for row in table.rows:
        pairs[row[column].strip()].add(row[other].strip())
    said = {value for values in pairs.values() for value in values}
    return len(said) < 2 or (all(len(values) == 1 for values in pairs.values()) and len(said) == len(pairs))


def joined_classes(rows: Sequence[LabelledFile]) -> list[Finding]:
    """Labels such as `cat;dog`, or `cat,dog` if a piece is a label as well, and `red rose` beside `rose`."""
    labels = {row.label for row in rows}
    joined = {label for label in labels if _is_joined(label, labels)}
    joined |= {label for label in labels if len(pieces := label.split()) > 1 and labels.issuperset(pieces)}
    found = []
    if files := [row.path for row in rows if row.label in joined]:
        sentence = (
            f"Labels that seem to name several classes at once are classes of their own: {some_of(sorted(joined))}. "
            f"Their pictures: {len(files)}."
        )
        cure = (
            "Classification takes one class for each picture. Write the right one into the list, or delete these rows."
        )
        found.append(finding("joined_classes", Severity.WARNING, sentence, cure, files))
    longer = {label for label in labels - joined if len(words := label.split()) > 1 and not labels.isdisjoint(words)}
    if files := [row.path for row in rows if row.label in longer]:
        sentence = (
            f"Labels that hold another label as a word are classes of their own: {some_of(sorted(longer))}. "
            f"Their pictures: {len(files)}."
        )
        cure = "If they belong to the class of the shorter name, give them that label in the list."
        found.append(finding("joined_classes", Severity.INFO, sentence, cure, files))
    return found


def _is_joined(label: str, labels: Set[str]) -> bool:
    """Whether a label seems to name several classes: signs that no name holds join it, or a piece is a label itself."""
    pieces = [piece for each in _JOINTS.split(label) if (piece := each.strip(_AROUND_PIECES))]
    return len(pieces) > 1 and (bool(_SURE_JOINTS.search(label)) or not labels.isdisjoint(pieces))
