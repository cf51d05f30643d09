"""corrections.csv in a project folder: a person's corrections of single pictures. Pure: from bytes to rows and back.

    picture,action,label
    images/cat/3.jpg,label,dog
    images/cat/7.jpg,exclude,
    images/dog/1.jpg,keep,

The worker reads the file, and the front-end reads and changes it for callers. A person may also write it, in a
spreadsheet or an editor. A change therefore keeps the text of every row that it is not about, the separator and the
further columns.
"""

from __future__ import annotations

import codecs
import csv
import enum
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from protocol.text import decoded_table, printable

CORRECTIONS_FILE = "corrections.csv"
MOST_CORRECTIONS_BYTES = 8 * 1024**2
MOST_CORRECTIONS_ROWS = 50_000
COLUMNS = ("picture", "action", "label")
_DELIMITERS = ",;\t|"
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: A spreadsheet runs a cell that begins with one of these as a formula. With an apostrophe in front it is text.
_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")


class Action(enum.StrEnum):
    """LABEL: the picture shows the class `label`. EXCLUDE: it is not used. KEEP: its label is right, a person says."""

    LABEL = "label"
    EXCLUDE = "exclude"
    KEEP = "keep"


class Correction(msgspec.Struct, frozen=True):
    """picture: as the row names it (see `spellings`). label: a class if the action is LABEL, else ""."""

    picture: str
    action: Action
    label: str = ""


class CorrectionsError(Exception):
    """The file can't be used at all. Its text says why, and begins with "it"."""


@dataclass(frozen=True)
class Row:
    """One row of the file. text: as it stands there. line: its number in the file, from 1.

    correction: what it says. problem: why it can't be understood, to follow after "line 4"; "" if it can. A blank line
    has neither.
    """

    text: str
    line: int
    correction: Correction | None = None
    problem: str = ""


@dataclass(frozen=True)
class CorrectionsTable:
    """The content of the file.

    rows: without the header. header: its text; "" if the file has none, or is new. columns: the positions of COLUMNS
    in a row. mark: the byte order mark that some spreadsheets write in front and need, or "".
    """

    rows: tuple[Row, ...] = ()
    header: str = ""
    columns: tuple[int, ...] = (0, 1, 2)
    delimiter: str = ","
    mark: str = ""

    @classmethod
    def read(cls, content: bytes) -> CorrectionsTable:
        """Read the content of a file.

        Raises CorrectionsError if it is no such file. A row that can't be understood is no reason for that; it gets a
        `problem`.
        """
        if len(content) > MOST_CORRECTIONS_BYTES:
            raise _too_large()
        try:
            text = decoded_table(content)
        except UnicodeDecodeError as error:
            raise CorrectionsError("it is not UTF-8 text; save it again as CSV in UTF-8") from error
        delimiter, columns = _form_of(text)
        table = cls((), "", columns or (0, 1, 2), delimiter, "\ufeff" if content.startswith(_MARKS) else "")
        rows: list[Row] = []
        header = ""
        for line, raw, cells in _records(text, delimiter):
            if columns and not header and any(map(str.strip, cells)):
                header = raw
            else:
                rows.append(_row(raw, line, [cells[at] if at < len(cells) else "" for at in table.columns]))
            if len(rows) > MOST_CORRECTIONS_ROWS:
                raise _too_many_rows()
        return replace(table, rows=tuple(rows), header=header)

    def corrections(self) -> list[Correction]:
        """The last one about each picture, as the rows name it, in the order of the rows."""
        last: dict[str, Correction] = {}
        for row in self.rows:
            if row.correction is not None:
                last.pop(row.correction.picture, None)
                last[row.correction.picture] = row.correction
        return list(last.values())

    def problems(self) -> list[str]:
        return [f"line {row.line} {row.problem}" for row in self.rows if row.problem]

    def changed(self, changes: Mapping[str, Correction | None]) -> CorrectionsTable:
        """The table after these changes, by picture. None takes back what the rows say of the picture.

        A new correction replaces the earlier rows about its picture. It stands at the end, because later rows count.
        """
        named = _rows_by_name(self.rows, spellings)
        alike = _rows_by_name(self.rows, lambda cell: (_normal_form(cell),))
        dropped: set[int] = set()
        for picture, correction in changes.items():
            # Two folders may differ only in their Unicode form, so a form counts only if nothing else is meant.
            dropped |= named.get(picture, set()) or (set() if correction else alike.get(_normal_form(picture), set()))
        kept = [row for number, row in enumerate(self.rows) if number not in dropped]
        added = [Row(self._text(correction), 0, correction) for correction in changes.values() if correction]
        return replace(self, rows=(*kept, *added))

    def encoded(self) -> bytes:
        """The content of the file in UTF-8; b"" if it would have no row. Raises CorrectionsError if it is too long."""
        if not any(row.text.strip() for row in self.rows):
            return b""
        if len(self.rows) > MOST_CORRECTIONS_ROWS:
            raise _too_many_rows()
        end = self._line_end
        header = self.header or f"{self._joined(dict(zip(COLUMNS, COLUMNS, strict=True)))}{end}"
        texts = [header, *(row.text for row in self.rows)]
        lines = [text if text.endswith(("\n", "\r")) else f"{text}{end}" for text in texts]
        content = f"{self.mark}{''.join(lines)}".encode()
        if len(content) > MOST_CORRECTIONS_BYTES:
            raise _too_large()
        return content

    @property
    def _line_end(self) -> str:
        first = self.header or next((row.text for row in self.rows if row.line), "")
        return "\r\n" if first.endswith("\r\n") else "\n"

    def _text(self, correction: Correction) -> str:
        cells = {"picture": correction.picture, "action": correction.action.value, "label": correction.label}
        return f"{self._joined(cells)}{self._line_end}"

    def _joined(self, cells: Mapping[str, str]) -> str:
        """A row with these cells in their columns, and nothing in further ones."""
        row = [""] * (max(self.columns) + 1)
        for name, place in zip(COLUMNS, self.columns, strict=True):
            row[place] = _written(cells[name])
        return self.delimiter.join(row)


def spellings(cell: str) -> tuple[str, ...]:
    """What a cell may mean, the likeliest first: its text as it stands, then as people write paths and names."""
    return tuple(dict.fromkeys([cell, _spelled(cell)]))


def _spelled(cell: str) -> str:
    return cell.strip().replace("\\", "/").removeprefix("./").lstrip("/")


def _normal_form(cell: str) -> str:
    return unicodedata.normalize("NFC", _spelled(cell))


def _rows_by_name(rows: Sequence[Row], names: Callable[[str], Iterable[str]]) -> Mapping[str, set[int]]:
    """The numbers of the rows about each picture, by its names. names: from a cell to what it may mean."""
    found: dict[str, set[int]] = defaultdict(set)
    for number, row in enumerate(rows):
        if row.correction is not None:
            for name in names(row.correction.picture):
                found[name].add(number)
    return found


def _too_large() -> CorrectionsError:
    return CorrectionsError(f"it is larger than {MOST_CORRECTIONS_BYTES // 1024**2} MB")


def _too_many_rows() -> CorrectionsError:
    return CorrectionsError(f"it has more than {MOST_CORRECTIONS_ROWS:,} rows")


def _form_of(text: str) -> tuple[str, tuple[int, ...] | None]:
    """The delimiter, and the positions of COLUMNS if the first row is a header; None if the file begins with rows.

    A header without the column label is understood as well: labels then stand behind the other columns.
    """
    first = next((line for line in io.StringIO(text, newline=None) if line.strip(f"{_DELIMITERS} \t\r\n")), "")
    if not first:
        return ",", None
    by_delimiter = {sign: [_word(cell) for cell in first.split(sign)] for sign in _DELIMITERS}
    for delimiter, cells in by_delimiter.items():
        if "picture" in cells and "action" in cells:
            return delimiter, tuple(cells.index(name) if name in cells else len(cells) for name in COLUMNS)
    for delimiter, cells in by_delimiter.items():
        # `image,label` is the header of another list, and no row about a picture called image.
        if cells[1:2] in ([Action.EXCLUDE], [Action.KEEP]) or (cells[1:2] == [Action.LABEL] and any(cells[2:3])):
            return delimiter, None
    shown = printable(first.strip())[:80]
    raise CorrectionsError(f"it begins with {shown!r}; its first line must be {','.join(COLUMNS)}")


def _word(cell: str) -> str:
    return cell.strip().strip('"').strip().casefold()


def _records(text: str, delimiter: str) -> Iterator[tuple[int, str, list[str]]]:
    """The number of the first line of each row, its text, and its cells. Raises CorrectionsError."""
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    number = 1
    try:
        for cells in csv.reader(lines(), delimiter=delimiter, skipinitialspace=True, strict=True):
            yield number, "".join(taken), cells
            number += len(taken)
            taken.clear()
    except csv.Error as error:
        raise CorrectionsError(
            f"it can't be read from line {number} on ({error}); see whether a quote is missing"
        ) from error


def _row(text: str, line: int, cells: Sequence[str]) -> Row:
    picture, said, label = map(_plain, cells)
    action = said.strip().casefold()
    if not any(map(str.strip, (picture, said, label))):
        return Row(text, line)
    if not picture.strip():
        return Row(text, line, problem="names no picture")
    if action not in {*Action}:
        came = f"has the action {printable(said.strip())[:40]!r}" if action else "has no action"
        return Row(text, line, problem=f"{came}; write label, exclude or keep")
    if action == Action.LABEL and not label.strip():
        return Row(text, line, problem="gives no class; write its name into the column label")
    return Row(text, line, Correction(picture, Action(action), label if action == Action.LABEL else ""))


def _written(cell: str) -> str:
    """A cell as it is written. No spreadsheet runs it as a formula or divides it, whatever its separator is."""
    text = f"'{cell}" if _FORMULA.match(cell) else cell
    if text != text.strip() or any(sign in text for sign in f'{_DELIMITERS}"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
