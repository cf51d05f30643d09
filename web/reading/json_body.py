"""Read a JSON body into its type. Pure."""

from __future__ import annotations

import re
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from tornado.httputil import HTTPHeaders

from protocol.options import allowed_values, without_metadata
from web.answers.refusal import Refusal
from web.reading.form import JSON_TYPE, check_coding, media_type_of

Kind = TypeVar("Kind", bound=msgspec.Struct)

#: A step of the path by which msgspec names a part of a value. It writes `[...]` for what has no fixed name.
_STEP = re.compile(r"\[(\d+|\.{3})\]|\.(\w+)")


def read_json(kind: type[Kind], headers: HTTPHeaders, body: bytes) -> Kind:
    """Return the body as its type. No body at all stands for an empty object. Raises Refusal for every bad field."""
    if body and media_type_of(headers) != JSON_TYPE:
        came = (
            f"Content-Type: {headers.get('Content-Type', '')[:80]}" if "Content-Type" in headers else "no Content-Type"
        )
        raise Refusal("unsupported_media_type", f"The call came with {came}; send the fields as {JSON_TYPE}.")
    check_coding(headers)
    try:
        value = msgspec.json.decode(body or b"{}")
    except (ValueError, RecursionError) as error:  # A text that is not UTF-8 raises UnicodeDecodeError.
        raise Refusal("bad_fields", f"The body is not JSON in UTF-8: {str(error)[:200]}.") from error
    return from_object(kind, value)


def _followed(path: str, place: tuple[str, Any, Any]) -> tuple[str, Any, Any]:
    """The name, the type and the value at the end of a path such as `[2].label`, as far as its steps are known.

    place: the same three at its beginning.
    """
    name, kind, value = place
    for index, key in _STEP.findall(path):
        bare = without_metadata(kind)
        if index.isdecimal() and get_origin(bare) in (list, tuple):
            name, kind, value = f"{name}[{index}]", get_args(bare)[0], value[int(index)]
        elif key and isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            name, kind, value = f"{name}.{key}", _field_type(bare, key), value[key]
        else:
            break
    return name, kind, value


def _field_type(kind: type[msgspec.Struct], name: str) -> Any:
    return next(field.type for field in msgspec.structs.fields(kind) if field.encode_name == name)


def from_object(kind: type[Kind], value: Any) -> Kind:
    """Return the JSON value as its type. Raises Refusal bad_fields that names every bad field."""
    if not isinstance(value, dict):
        raise Refusal("bad_fields", 'The JSON is not an object; send the fields as {"name": value, …}.')
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    problems = {
        name[:80]: f"{name[:80]} is not a field of this call; it takes {', '.join(fields)}."
        for name in value
        if name not in fields
    }
    for name, field in fields.items():
        if name not in value:
            if field.required:
                problems[name] = f"{name} is missing; send it as a field of the body."
            continue
        try:
            msgspec.convert(value[name], field.type)
        except msgspec.ValidationError as error:
            words, _, path = str(error).partition(" - at `$")
            place, kind_there, came_there = _followed(path.rstrip("`"), (name, field.type, value[name]))
            came = msgspec.json.encode(came_there).decode()[:80]
            # A regular expression helps no caller. The description of the field says the same in words.
            why = "" if "regex" in words else f" ({words})"
            problems[place] = f"{place}={came} is not allowed{why}; it takes {allowed_values(kind_there)}."
    if problems:
        raise Refusal("bad_fields", " ".join(problems.values())[:2000], fields=problems)
    return msgspec.convert(value, kind)
