"""Read a JSON body into its type. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from tornado.httputil import HTTPHeaders

from protocol.options import allowed_values
from web.answers.refusal import Refusal
from web.reading.form import JSON_TYPE, check_coding, media_type_of

Kind = TypeVar("Kind", bound=msgspec.Struct)


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
    except (msgspec.DecodeError, RecursionError) as error:
        raise Refusal("bad_fields", f"The body is not JSON in UTF-8: {str(error)[:200]}.") from error
    return from_object(kind, value)


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
            came = msgspec.json.encode(value[name]).decode()[:80]
            # A regular expression helps no caller. The description of the field says the same in words.
            why = "" if "regex" in str(error) else f" ({error})"
            problems[name] = f"{name}={came} is not allowed{why}; it takes {allowed_values(field.type)}."
    if problems:
        raise Refusal("bad_fields", " ".join(problems.values())[:2000], fields=problems)
    return msgspec.convert(value, kind)
