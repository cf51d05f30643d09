"""What a section of the report is made of. Each block says what to show; the macro of its name in blocks.html shows it.

All texts are plain text, even those of strangers: the templates escape them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

#: note: said by the way. warning: may make the model worse than it could be.
Tone = Literal["plain", "note", "warning", "good"]


@dataclass(frozen=True)
class Prose:
    """A paragraph."""

    macro: ClassVar[str] = "prose"
    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Meter:
    """A share from 0 to 1 as a bar, with its interval as a line over it. None: not counted.

    text, range_text: the same in words; "" where there is no interval.
    """

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    range_text: str = ""


@dataclass(frozen=True)
class Named:
    """The heading of a row, and in small letters what is to be said of it at once."""

    name: str
    note: str


@dataclass(frozen=True)
class Column:
    """A column of a table. content: name is the row's heading."""

    title: str
    content: Literal["name", "text", "number", "meter"] = "number"


@dataclass(frozen=True)
class Table:
    """A table. caption: says what it shows. A cell is a text, a Named or a Meter, by its column."""

    macro: ClassVar[str] = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | Named | Meter, ...], ...]


@dataclass(frozen=True)
class Heat:
    """A confusion matrix as a table whose cells are tinted by their share of the row.

    counts[i][j]: how often pictures of label i were taken for label j. row_totals: of the whole rows, also of the
    columns that are left out. unit: what is counted. in_percent: whether cells show their share of the row.
    """

    macro: ClassVar[str] = "heat"
    caption: str
    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    row_totals: tuple[int, ...]
    unit: str
    in_percent: bool = False

    def share(self, row: int, column: int) -> float:
        return self.counts[row][column] / self.row_totals[row] if self.row_totals[row] else 0.0


@dataclass(frozen=True)
class Axis:
    """low, high: the values at its ends. ticks: values and what is written there."""

    title: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]

    def place(self, value: float) -> float:
        """Where a value lies between the ends, in percent; values beyond an end lie on it."""
        span = self.high - self.low
        return 100 * min(1.0, max(0.0, (value - self.low) / span)) if span else 50.0


@dataclass(frozen=True)
class Line:
    """points: (x, y). band: (x, low, high), an interval around the line. look: one of the styles of report.css."""

    name: str
    points: tuple[tuple[float, float], ...]
    band: tuple[tuple[float, float, float], ...] = ()
    look: Literal["first", "second", "ideal"] = "first"


@dataclass(frozen=True)
class Chart:
    """A line chart. caption: what it shows, for those who can't see it as well. table: the same figures."""

    macro: ClassVar[str] = "chart"
    caption: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    table: Table

    def path(self, points: tuple[tuple[float, float], ...]) -> str:
        """The points of a polyline in a square of 100 by 100."""
        return " ".join(f"{self.x.place(x):.2f},{100 - self.y.place(y):.2f}" for x, y in points)

    def outline(self, band: tuple[tuple[float, float, float], ...]) -> str:
        """The polygon of a band: along its upper edge, and back along its lower one."""
        upper = [(x, high) for x, _, high in band]
        lower = [(x, low) for x, low, _ in reversed(band)]
        return self.path((*upper, *lower))


@dataclass(frozen=True)
class Picture:
    """source: a data: URI; "" where the picture can't be shown. The sides are in pixels."""

    source: str = ""
    width_px: int = 0
    height_px: int = 0


@dataclass(frozen=True)
class Tile:
    """A picture with its file name and what is to be said about it: (what, value) each."""

    picture: Picture
    file: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side."""

    macro: ClassVar[str] = "gallery"
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Groups:
    """Groups of pictures that belong together. Each has a name."""

    macro: ClassVar[str] = "groups"
    groups: tuple[tuple[str, tuple[Tile, ...]], ...]


@dataclass(frozen=True)
class Strips:
    """For each file several views of it side by side, such as photo and masks: (file, what is said, views).

    A view is (what it shows, picture). legend: (colour, such as "rgb(0 0 0)", and what it stands for).
    """

    macro: ClassVar[str] = "strips"
    strips: tuple[tuple[str, str, tuple[tuple[str, Picture], ...]], ...]
    legend: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Step:
    """Something to do. text: what is the case. cure: what to do about it.

    files, files_text: the files that it is about, and how many they are in words. see: (the anchor of a section, its
    title) to look at; empty for none.
    """

    text: str
    cure: str = ""
    tone: Tone = "plain"
    files: tuple[str, ...] = ()
    files_text: str = ""
    see: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Steps:
    """What to do next, the most important first."""

    macro: ClassVar[str] = "steps"
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    macro: ClassVar[str] = "facts"
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Items:
    """A list of sentences under a heading of its own."""

    macro: ClassVar[str] = "items"
    title: str
    texts: tuple[str, ...]


Block = Prose | Table | Heat | Chart | Gallery | Groups | Strips | Steps | Facts | Items


@dataclass(frozen=True)
class Section:
    """anchor: its name in links, of this page only. title: its heading."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]
