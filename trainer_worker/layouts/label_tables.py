"""Reads the small tables (.csv, .tsv) of a project whose rows name pictures and their classes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.data_report import Finding, Severity, finding
from protocol.litter import suffix_of
from protocol.text import decoded_table, printable
from trainer_worker.layouts.tree import Tree
from trainer_worker.pictures.user_files import RefusedFileError

#: A project with more tables than this is read only in part.
MOST_TABLES = 50

FILE_COLUMNS = (
    *("file", "files", "filename", "filenames", "filepath", "filepaths", "image", "images", "imagename", "imagefile"),
    *("imagepath", "imageid", "imageindex", "img", "imgname", "imgpath", "imgid", "picture", "photo"),
    *("path", "paths", "id", "name"),
)
#: Names come before numbers: with `class_id` and `class_name`, the labels are the names.
LABEL_COLUMNS = (
    *("classname", "labelname", "categoryname", "label", "labels", "class", "classes", "category", "categories"),
    *("target", "targets", "species", "breed", "choice", "diagnosis", "dx", "findinglabels"),
    *("classid", "labelid", "categoryid"),
)
PART_COLUMNS = ("split", "subset", "set", "dataset", "part", "partition", "usage")
BOX_COLUMNS = frozenset({"xmin", "ymin", "xmax", "ymax", "bbox", "boundingbox"})
DELIMITERS = ",;\t|"
_ZERO_OR_ONE = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "": 0}


class DamagedTableError(Exception):
    """The file can't be read as a table. Its text says why, and begins with "it"."""


@dataclass(frozen=True)
class Table:
    """path: relative to the project. header: the names of the columns, as written. rows: each as long as the header."""

    path: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def columns(self, names: Sequence[str]) -> list[int]:
        """The numbers of the columns that have one of these names, in the order of `names`."""
        normal = [_normal(cell) for cell in self.header]
        return [normal.index(name) for name in names if name in normal]

    @property
    def has_boxes(self) -> bool:
        """Whether its columns hold boxes around objects, as exports for detection do."""
        return len(BOX_COLUMNS & {_normal(cell) for cell in self.header}) in (1, 2, 4) and not self.one_hot(0)

    def one_hot(self, file_column: int) -> list[int]:
        """The numbers of all other columns, if they hold only 0 and 1; [] otherwise."""
        others = [column for column in range(len(self.header)) if column != file_column]
        if len(others) < 2 or not self.rows:
            return []
        binary = all(row[column].strip() in _ZERO_OR_ONE for row in self.rows for column in others)
        return others if binary else []

    def attributes(self) -> list[int]:
        """The numbers of the columns of -1 and 1, if there are several, as in CelebA's list of attributes."""
        cells = {column: {row[column].strip() for row in self.rows} for column in range(len(self.header))}
        found = [column for column, said in cells.items() if "-1" in said and said <= {"-1", "1"}]
        return found if len(found) > 1 and any("1" in cells[column] for column in found) else []


def is_set(cell: str) -> bool:
    """Whether a cell of a one-hot column marks the class."""
    return _ZERO_OR_ONE.get(cell.strip(), 0) == 1


@dataclass(frozen=True)
class Tables:
    """The tables of one project. damaged: the reason for each file that can't be read, by its path."""

    read: tuple[Table, ...]
    damaged: dict[str, str]

    def damage(self) -> str:
        """A sentence, after a blank, that names the damaged files and the cure; "" if there are none."""
        sentences = [f" {printable(path)} is not used: {reason}." for path, reason in self.damaged.items()]
        return "".join(sentences[:3]) + (f" {DAMAGE_CURE}" if sentences else "")

    def damage_findings(self, severity: Severity) -> list[Finding]:
        return [
            finding("unreadable_list", severity, f"{path} is not used: {reason}.", DAMAGE_CURE, [path])
            for path, reason in self.damaged.items()
        ]


DAMAGE_CURE = "If it lists the classes of pictures, save it again as a CSV file in UTF-8."


def tables_of(tree: Tree) -> Tables:
    """All tables of a project with two or more columns. A file with a single column is no table of labels."""
    paths = [path for path in tree.files if suffix_of(path) in (".csv", ".tsv")]
    read, damaged = [], {}
    for path in paths[:MOST_TABLES]:
        if "submission" in path.casefold():  # Kaggle's example of an answer: its labels mean nothing
            continue
        try:
            table = read_table(path, tree.read_small(path) or b"")
        except (RefusedFileError, DamagedTableError) as error:
            damaged[path] = str(error)
            continue
        if len(table.header) > 1:
            read.append(table)
    return Tables(tuple(read), damaged)


def read_table(path: str, content: bytes) -> Table:
    """The table, whose first line is the header. Raises DamagedTableError."""
    try:
        lines = decoded_table(content).splitlines()
    except UnicodeDecodeError as error:
        raise DamagedTableError("it is not UTF-8 text") from error
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(DELIMITERS, key=lambda sign: (_known(first, sign), first.count(sign)))
    try:
        rows = [
            row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise DamagedTableError(f"it is no CSV file ({error})") from error
    header = rows[0] if rows else []
    width = len(header)
    return Table(path, tuple(header), tuple(tuple((row + [""] * width)[:width]) for row in rows[1:]))


def _known(line: str, delimiter: str) -> int:
    """The number of columns whose names are known, if this delimiter separates them."""
    known = {*FILE_COLUMNS, *LABEL_COLUMNS, *PART_COLUMNS}
    return sum(_normal(cell) in known for cell in line.split(delimiter))


def _normal(cell: str) -> str:
    return "".join(sign for sign in cell.casefold() if sign.isalnum())
