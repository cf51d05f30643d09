"""The schemas of the OpenAPI document, made from the types of queries, bodies and answers. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from protocol.options import OPTIONS_BY_TRAIN_TYPE
from web.route import Media, Route, StructType

REFERENCE = "#/components/schemas/{name}"
Schema = dict[str, Any]


def reference(kind: StructType) -> Schema:
    return {"$ref": REFERENCE.format(name=kind.__name__)}


def components(kinds: Iterable[StructType], empty_defaults: bool = False) -> dict[str, Schema]:
    """The schemas of these types and of all types inside of them, by their names.

    empty_defaults: keep defaults that are empty. In an answer they would stand for fields that are left out.
    """
    _, found = msgspec.json.schema_components(list(dict.fromkeys(kinds)), ref_template=REFERENCE)
    return {name: _readable(schema, empty_defaults) for name, schema in found.items()}


def schema_of(annotation: Any) -> Schema:
    """The schema of a type that is no struct."""
    schema: Schema = _readable(msgspec.json.schema(annotation))
    return schema


def kinds_of(routes: Iterable[Route]) -> list[StructType]:
    """The types of all bodies and answers of the table, and of options. Those of queries become parameters."""
    kinds: list[StructType] = [*OPTIONS_BY_TRAIN_TYPE.values()]
    for route in routes:
        for call in route.calls.values():
            kinds += [kind for kind in (call.body, call.instead) if kind]
            for answer in call.answers.values():
                kind = answer.json if isinstance(answer, Media) else answer
                kinds += [kind] if kind else []
                kinds += answer.events if isinstance(answer, Media) else ()
    return kinds


def form_of(body: StructType) -> Schema:
    """The schema of the same fields as a form: all of them are texts, and options stand beside the others.

    A field of any other name is an option of the trainType.
    """
    (schema,) = (_readable(each) for name, each in components([body]).items() if name == body.__name__)
    properties = {name: each for name, each in schema["properties"].items() if name != "options"}
    return {
        "type": "object",
        "description": "The options of the trainType stand beside these fields.",
        "properties": properties,
        "required": schema["required"],
        "additionalProperties": {"type": "string"},
    }


def maps_of(schema: Schema) -> list[str]:
    """The properties that are objects. A form or query has them as `name[key]=value`."""
    return [name for name, each in schema["properties"].items() if each.get("type") == "object"]


def _readable(schema: Any, empty_defaults: bool = False) -> Any:
    """The schema with descriptions without indents, and patterns as JavaScript has them."""
    if isinstance(schema, list | tuple):
        return [_readable(each, empty_defaults) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    changed = {name: _readable(value, empty_defaults) for name, value in schema.items()}
    if isinstance(text := changed.get("description"), str):
        changed["description"] = " ".join(inspect.cleandoc(text).split("\n"))
    if isinstance(text := changed.get("pattern"), str):
        changed["pattern"] = text.replace(r"\A", "^").replace(r"\Z", "$")
    if not empty_defaults and changed.get("default") in ("", [], {}):
        del changed["default"]
    return changed
