"""Answers of a server, made from the client's own types: every required field is there, empty unless a test says so."""

from __future__ import annotations

import hashlib
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from tfmodel_client import types

TASK_ID = "0123456789abcdef0123456789abcdef"
_EMPTY: dict[Any, Any] = {str: "", int: 0, float: 0.0, bool: False, dict: {}, tuple: [], list: []}


def sample(kind: type[msgspec.Struct], **changes: Any) -> dict[str, Any]:
    """The JSON of an answer. changes: fields by their Python names."""
    hints = get_type_hints(kind)
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    assert changes.keys() <= known.keys(), f"{kind.__name__} has no {changes.keys() - known.keys()}"
    return {
        field.encode_name: changes.get(field.name, _empty(hints[field.name]))
        for field in known.values()
        if field.required or field.name in changes
    }


def _empty(hint: Any) -> Any:
    if type(None) in get_args(hint):
        return None
    return _EMPTY.get(get_origin(hint) or hint)


def task(state: str, **changes: Any) -> dict[str, Any]:
    return sample(types.Task, task_id=TASK_ID, state=state, **changes)


def event(number: int, kind: str = "task.started", **changes: Any) -> dict[str, Any]:
    return sample(types.Event, id=number, type=kind, task_id=TASK_ID, at="2026-11-29T20:00:00.123+00:00", **changes)


def artifacts(**files: bytes) -> dict[str, Any]:
    """The list of a model's files; a double underscore in a name stands for a dot."""
    listed = [
        sample(
            types.ArtifactFile,
            name=name.replace("__", "."),
            size_bytes=len(data),
            sha256=sha256(data),
        )
        for name, data in files.items()
    ]
    return sample(types.ArtifactList, task_id=TASK_ID, artifacts=listed)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
