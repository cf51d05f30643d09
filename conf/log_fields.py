"""The keys and values of a log record, taken from its template.

Our records have a template such as `action=task.taken task=%s attempt=%d reason='it waits for %s'`. Keys are read from
the template and never from the finished line, so no value can pass for a key, whatever it contains.
"""

from __future__ import annotations

import functools
import math
import re

Value = str | int | float | None

_PAIR = re.compile(r"(\w+)=('[^']*'|[^\s']\S*|)(?: |\Z)")
#: A conversion of printf style, or an escaped percent sign.
_CONVERSION = re.compile(r"%(?:%|(?:\.\d+)?[srdf])")


class TemplateError(ValueError):
    """The template is not a list of `key=value`, or its values are not those that it names."""


@functools.lru_cache(maxsize=1000)
def pairs_of(template: str) -> tuple[tuple[str, str], ...]:
    """Return the keys of a template, each with the text of its value. Raises TemplateError."""
    pairs, position = [], 0
    while position < len(template):
        found = _PAIR.match(template, position)
        if found is None:
            raise TemplateError(f"no key=value at {template[position:]!r}")
        pairs.append((found[1], found[2]))
        position = found.end()
    return tuple(pairs)


def conversions(text: str) -> list[str]:
    """Return the conversions in a template or a part of it. Each takes one value."""
    return [found for found in _CONVERSION.findall(text) if found != "%%"]


def fields_of(template: str, values: tuple[object, ...]) -> dict[str, Value]:
    """Return the keys and values of a record. Numbers stay numbers. Raises TemplateError."""
    if len(conversions(template)) != len(values) and values:
        raise TemplateError(f"{len(values)} values for {template!r}")
    left = list(values)
    fields: dict[str, Value] = {}
    for key, text in pairs_of(template):
        wanted = conversions(text) if values else []
        given, left = left[: len(wanted)], left[len(wanted) :]
        if wanted == [text]:
            fields[key] = _plain(text, given[0])
        else:
            written = text % tuple(given) if values else text
            fields[key] = written[1:-1] if text.startswith("'") else written
    return fields


def _plain(conversion: str, value: object) -> Value:
    """Return the value itself if JSON has it, otherwise its text. A precision in the conversion is kept."""
    if conversion.endswith("f"):
        number = float(conversion % value)
        return number if math.isfinite(number) else conversion % value
    if conversion.endswith("d"):
        return int(conversion % value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if conversion in ("%s", "%r") and (value is None or type(value) in (str, int, float, bool)):
        return value  # type: ignore[return-value]
    return conversion % value
