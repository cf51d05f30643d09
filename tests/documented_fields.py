"""Holds a JSON file of a model to the table in docs/results.md that lists its fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "results.md"
#: The letters of the table's third column.
LETTERS = {"classification": "C", "segmentation": "S"}
_NUMBER = (int, float)
#: What the words of the second column mean. An object has its fields in rows of their own.
TYPES: dict[str, Any] = {"text": str, "number": _NUMBER, "true or false": bool, "list": list, "object": dict}


def metrics_fields(train_type: str) -> dict[str, str]:
    """The types of the fields of metrics.json, by their paths."""
    rows = _rows("The fields of metrics.json")
    return {path: kind for path, kind, of in rows if LETTERS[train_type] in of.split()}


def mask_fields() -> dict[str, str]:
    """Those of held_out_masks.json, which the second table of that section lists."""
    return {path: kind for path, kind, _ in _rows("The fields of metrics.json", table=1)}


def misfits(value: object, fields: dict[str, str]) -> list[str]:
    """Where a file and the documented fields differ, in words. Lists that are empty show none of their fields."""
    return list(_misfits(value, fields, ""))


def _misfits(value: object, fields: dict[str, str], path: str) -> Iterator[str]:
    kind = fields.get(path, "object")
    if value is None:
        if not kind.endswith("or null"):
            yield f"{path} is null"
        return
    kind = kind.removesuffix(" or null")
    if kind.startswith(("list of", "object of")):
        inner = _inner(kind)
        values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        yield from (f"{path} holds {each!r}" for each in values if inner is not None and not isinstance(each, inner))
    elif kind == "object by label" and isinstance(value, dict):
        for each in value.values():
            yield from _misfits(each, {**fields, f"{path}.{{}}": "object"}, f"{path}.{{}}")
    elif not isinstance(value, TYPES[kind]):
        yield f"{path} is {value!r}, not a {kind}"
    elif isinstance(value, list):
        for each in value:
            yield from _misfits(each, {**fields, f"{path}[]": "object"}, f"{path}[]")
    elif isinstance(value, dict):
        prefix = f"{path}." if path else ""
        named = {name for name in fields if name.startswith(prefix) and re.fullmatch(r"\w+", name[len(prefix) :])}
        there = {f"{prefix}{name}" for name in value}
        yield from (f"{name} is not documented" for name in sorted(there - named))
        yield from (f"{name} is missing" for name in sorted(named - there))
        for name in sorted(there & named):
            yield from _misfits(value[name[len(prefix) :]], fields, name)


def _inner(kind: str) -> Any:
    """The type of the items of "list of texts" or "object of numbers"; None for any."""
    word = kind.rpartition(" of ")[2]
    return {"texts": str, "numbers": (*_NUMBER, list), "values": None}[word]


def _rows(heading: str, table: int = 0) -> Iterator[tuple[str, str, str]]:
    """Path, type and third column of each field of a table in that section."""
    section = DOCUMENT.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    for line in tables[table].splitlines()[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        yield from ((path, cells[1], cells[2]) for path in re.findall(r"`([^`]+)`", cells[0]))
