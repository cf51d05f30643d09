"""Reads a report.html as a test needs it: its sections with their texts, tables and pictures."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
import numpy.typing as npt
from PIL import Image

VOID = {"meta", "link", "img", "br", "wbr", "rect", "line", "polyline", "polygon", "circle"}


@dataclass
class ReadSection:
    """texts: of its paragraphs. tables: caption -> rows of cells, the heading first. pairs: of all lists of facts."""

    title: str = ""
    texts: list[str] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[dict[str, str]] = field(default_factory=list)


def pixels_of(source: str) -> npt.NDArray[np.uint8]:
    """The pixels of a picture of a report, uint8 (h, w, 3), from its data: URI."""
    kind, _, text = source.partition(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


class ReportReader(HTMLParser):
    """sections: by anchor; "" is what stands outside of all. elements: (name, attributes) of every element."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.sections: dict[str, ReadSection] = {"": ReadSection()}
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.unclosed: list[str] = []
        self._anchor, self._text, self._table, self._term = "", "", "", ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.unclosed.append(tag)
        here = self.sections[self._anchor]
        if tag == "section":
            self._anchor = attributes["id"]
            self.sections[self._anchor] = ReadSection()
        elif tag == "table":
            self._table = attributes["aria-label"]
            here.tables[self._table] = []
        elif tag == "tr":
            here.tables[self._table].append([])
        elif tag == "img":
            here.pictures.append(attributes)
        if tag in ("p", "h1", "h2", "h3", "th", "td", "dt", "dd", "li"):
            self._text = ""

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.unclosed[-1] == tag, f"</{tag}> closes <{self.unclosed[-1]}>"
            self.unclosed.pop()
        here, text = self.sections[self._anchor], " ".join(self._text.split())
        if tag == "section":
            self._anchor = ""
        elif tag in ("h1", "h2"):
            here.title = text
        elif tag in ("p", "h3", "li"):
            here.texts.append(text)
        elif tag in ("th", "td"):
            here.tables[self._table][-1].append(text)
        elif tag == "dt":
            self._term = text
        elif tag == "dd":
            here.pairs.append((self._term, text))

    def handle_data(self, data: str) -> None:
        self._text += data

    def table(self, anchor: str, starts: str) -> list[list[str]]:
        """The rows below the heading of the table whose caption starts so."""
        return next(rows[1:] for name, rows in self.sections[anchor].tables.items() if name.startswith(starts))

    def tiles(self, anchor: str) -> list[dict[str, str]]:
        """The facts of each picture of a section that has nothing else in lists of facts."""
        pairs = self.sections[anchor].pairs
        first = pairs[0][0] if pairs else ""
        tiles: list[dict[str, str]] = []
        for name, value in pairs:
            if name == first:
                tiles.append({})
            tiles[-1][name] = value
        return tiles
