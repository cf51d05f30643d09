"""Read the query of a URL into its type. Pure.

A field of a list may come several times, or once with commas. A field of a map comes as `name[key]=value`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from protocol.options import allowed_values
from web.answers.refusal import Refusal

Kind = TypeVar("Kind", bound=msgspec.Struct)


class NoQuery(msgspec.Struct):
    """The query of a call that takes none."""


_KEY = re.compile(r"(?P<name>\w+)\[(?P<key>[^\]]{0,80})\]")


def read_query(kind: type[Kind], arguments: Mapping[str, Sequence[bytes]]) -> Kind:
    """Return the query. Raises Refusal bad_fields that names every bad field."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, given in arguments.items():
        texts = [text.decode("utf-8", "replace") for text in given]
        keyed = _KEY.fullmatch(name)
        field = fields.get(keyed["name"] if keyed else name)
        info = msgspec.inspect.type_info(field.type) if field else None
        if isinstance(info, msgspec.inspect.Metadata):
            info = info.type
        if field is None or isinstance(info, msgspec.inspect.DictType) != bool(keyed):
            takes = f"it takes {', '.join(fields)}" if fields else "this call takes none"
            problems[name[:80]] = f"{name[:80]} is not a field of this URL; {takes}."
        elif keyed:
            values.setdefault(keyed["name"], {})[keyed["key"]] = texts[-1]
        elif isinstance(info, msgspec.inspect.VarTupleType):
            values[name] = [part.strip() for text in texts for part in text.split(",") if part.strip()]
        elif len(texts) > 1:
            problems[name] = f"{name} came {len(texts)} times; send it once."
        elif texts[0]:
            values[name] = texts[0]
    typed = {name: _typed(fields[name], value, problems) for name, value in values.items()}
    problems |= {name: f"{name} is missing." for name in _missing(fields, typed)}
    if problems:
        raise Refusal("bad_fields", " ".join(problems.values())[:2000], fields=problems)
    return msgspec.convert(typed, kind)


def _typed(field: msgspec.structs.FieldInfo, value: Any, problems: dict[str, str]) -> Any:
    try:
        typed = msgspec.to_builtins(msgspec.convert(value, field.type, strict=False))
        if typed is None:
            raise msgspec.ValidationError("A query cannot say null; leave the field out.")
        return typed
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        name = field.encode_name
        if isinstance(value, dict):
            problems[name] = f"{name} is not allowed ({error}); send {name}[name]=value, with short plain names."
        else:
            came = ",".join(value) if isinstance(value, list) else value
            problems[name] = f"{name}={came[:80]!r} is not allowed; it takes {allowed_values(field.type)}."
        return None


def _missing(fields: Mapping[str, msgspec.structs.FieldInfo], typed: Mapping[str, Any]) -> list[str]:
    return [name for name, field in fields.items() if field.required and name not in typed]
