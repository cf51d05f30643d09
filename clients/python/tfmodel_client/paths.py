"""Puts the caller's names and values into paths and queries of requests."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from urllib.parse import quote

Pairs = tuple[tuple[str, str], ...]


def path_of(*parts: str) -> str:
    """The path of these parts. A slash inside of a part is encoded, so that the part stays one."""
    for part in parts:
        if part in ("", ".", ".."):
            raise ValueError(f"{part!r} can't stand for a task, a project, a worker or a file; pass its name or id.")
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def camel(name: str) -> str:
    """A name of Python's as the server writes it: `user_id` as `userId`."""
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def query_of(filters: Mapping[str, object]) -> Pairs:
    """The query of filters by their Python names.

    Lists become repeated fields, and a mapping one field a key, as `metadata[shop]`. None is left out.
    """
    return tuple(pair for name, value in filters.items() if value is not None for pair in _pairs(camel(name), value))


def _pairs(name: str, value: object) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [(f"{name}[{key}]", str(item)) for key, item in value.items()]
    if isinstance(value, str):
        return [(name, value)]
    if isinstance(value, bool):
        return [(name, str(value).lower())]
    if isinstance(value, datetime.datetime):
        return [(name, value.astimezone(datetime.timezone.utc).isoformat())]
    if isinstance(value, Iterable):
        return [pair for item in value for pair in _pairs(name, item)]
    return [(name, str(value))]
