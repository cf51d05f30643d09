"""Reads a small table (.csv, .tsv) whose rows name pictures and their classes, whatever its columns are called."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

FILE_COLUMNS = (
    *("file", "files", "filename", "filenames", "filepath", "filepaths", "image", "images", "imagename", "imagefile"),
    *("imagepath", "imageid", "img", "imgname", "imgpath", "imgid", "picture", "photo", "path", "paths", "id", "name"),
)
#: Names come before numbers: with `class_id` and `class_name`, the labels are the names.
LABEL_COLUMNS = (
    *("classname", "labelname", "categoryname", "label", "labels", "class", "classes", "category", "categories"),
    *("target", "targets", "species", "breed", "classid", "labelid", "categoryid"),
)
PART_COLUMNS = ("split", "subset", "set", "dataset", "part", "partition")
BOX_COLUMNS = frozenset({"xmin", "ymin", "xmax", "ymax", "bbox", "boundingbox"})
DELIMITERS = ",;\t|"
_ZERO_OR_ONE = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "": 0}


class NotATableError(Exception):
    """The file can't be read as a table; its text says why."""


@dataclass(frozen=True)
class Table:
    """path: relative to the project. header: names of the columns as they stand. rows: as many cells each."""

    path: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def columns(self, names: Sequence[str]) -> list[int]:
        """The columns that are called so, in the order of names."""
        normal = [_normal(cell) for cell in self.header]
        return [normal.index(name) for name in names if name in normal]

    @property
    def has_boxes(self) -> bool:
        """Whether it tells where objects are: an export for detection."""
        return len(BOX_COLUMNS & {_normal(cell) for cell in self.header}) in (1, 2, 4) and not self.one_hot(0)

    def one_hot(self, file_column: int) -> list[int]:
        """All columns but that of the file, if they hold nothing but 0 and 1; else nothing."""
        others = [column for column in range(len(self.header)) if column != file_column]
        if len(others) < 2 or not self.rows:
            return []
        binary = all(row[column].strip() in _ZERO_OR_ONE for row in self.rows for column in others)
        return others if binary else []


def is_set(cell: str) -> bool:
    """Whether a cell of a one-hot column marks the class."""
    return _ZERO_OR_ONE.get(cell.strip(), 0) == 1


def read_table(path: str, content: bytes) -> Table:
    """The table. Its first line is the header. Raises NotATableError."""
    text = _text(content)
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=lambda sign: (_known(first, sign), first.count(sign)))
    try:
        rows = [
            row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise NotATableError(str(error)) from error
    if not rows or len(rows[0]) < 2:
        raise NotATableError("it has fewer than two columns")
    width = len(rows[0])
    return Table(path, tuple(rows[0]), tuple(tuple((row + [""] * width)[:width]) for row in rows[1:]))


def is_text(content: bytes) -> bool:
    """Whether it is text in an encoding that is read."""
    try:
        _text(content)
    except NotATableError:
        return False
    return True


def _text(content: bytes) -> str:
    for encoding in ("utf-16", "utf-8-sig"):
        if encoding == "utf-16" and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            continue
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise NotATableError("it is not UTF-8 text")


def _known(line: str, delimiter: str) -> int:
    """How many columns have a name that is understood."""
    known = {*FILE_COLUMNS, *LABEL_COLUMNS, *PART_COLUMNS}
    return sum(_normal(cell) in known for cell in line.split(delimiter))


def _normal(cell: str) -> str:
    return "".join(sign for sign in cell.casefold() if sign.isalnum())
