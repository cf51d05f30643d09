"""The parts of a split in lists of classes: a column that tells them, or lists called after parts."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from protocol.data_report import Finding, Severity, finding
from protocol.text import printable
from trainer_worker.layouts.label_tables import PART_COLUMNS, Table
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.part_names import PART_WORDS, part_of, parts_of
from trainer_worker.layouts.picture_index import name_of

#: Columns of these names hold nothing but parts. Others (`set`, `dataset`) may tell where pictures come from.
_SURE_PART_COLUMNS = ("split", "partition", "subset", "usage")


def part_column(table: Table, taken: Sequence[int]) -> int | None:
    """The column that tells the parts of a split, by its name, or because it holds nothing but names of parts.

    Of several such names, one counts whose values name a part.
    taken: the columns that hold something else.
    """
    columns = [column for column in range(len(table.header)) if column not in taken]
    words = {column: {row[column].strip().casefold() for row in table.rows} for column in columns}
    called = [column for column in table.columns(PART_COLUMNS) if column in columns]
    by_name = [column for column in called if not words[column].isdisjoint(PART_WORDS)]
    by_words = [column for column in columns if len(words[column]) > 1 and words[column] <= PART_WORDS.keys()]
    return next(iter([*by_name, *by_words, *called]), None)


def unknown_parts(table: Table, column: int | None) -> list[Finding]:
    """A finding on values of the column of parts that stand for none. column: as part_column returns it."""
    if column is None or column not in table.columns(_SURE_PART_COLUMNS):
        return []
    values = {row[column].strip() for row in table.rows} - {""}
    unknown = sorted(value for value in values if part_of(value) is Part.ANY)
    if not unknown or len(values) < 2:
        return []
    name = printable(table.header[column].strip())
    sentence = (
        f"Values in the column {name} of {printable(table.path)} that name no part of a split: {some_of(unknown)}."
    )
    cure = "Call the parts train, valid and test. Otherwise the pictures of these rows may train."
    return [finding("unused_parts", Severity.WARNING, sentence, cure, [table.path])]


def parts_of_tables(tables: Sequence[Table]) -> dict[str, Part]:
    """The part that the name of each table stands for, by its path; ANY for none."""
    stems = {table.path: posixpath.splitext(name_of(table.path))[0] for table in tables}
    parts = parts_of(stems.values())
    return {path: parts.get(stem, Part.ANY) for path, stem in stems.items()}
