"""Labels say what a worker has, and needs say what a task must find at its worker. Pure.

A label has a name and a value, such as gpu=a100. A need is the name of a label ("gpu": any value will do) or a name
with a value ("gpu=a100": only this one).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

from msgspec import Meta

MAX_LABELS = 16
MAX_NEEDS = 4
MAX_VALUE_CHARS = 31
#: The label that a worker gives itself, with the name of its GPU.
GPU = "gpu"
_NAME = r"[a-z][a-z0-9_-]{0,31}"
_VALUE = r"[A-Za-z0-9._-]{1,31}"

LabelName = Annotated[str, Meta(pattern=rf"\A{_NAME}\Z", max_length=32)]
LabelValue = Annotated[str, Meta(pattern=rf"\A{_VALUE}\Z", max_length=MAX_VALUE_CHARS)]
Labels = Annotated[dict[LabelName, LabelValue], Meta(max_length=MAX_LABELS)]
Need = Annotated[
    str,
    Meta(
        pattern=rf"\A{_NAME}(={_VALUE})?\Z",
        max_length=64,
        description="the name of a label in lower case, or name=value",
    ),
]
Needs = Annotated[tuple[Need, ...], Meta(max_length=MAX_NEEDS)]


def labels_of(texts: Iterable[str]) -> dict[str, str]:
    """The labels that these texts of the form name=value are. Raises ValueError, with a sentence."""
    labels: dict[str, str] = {}
    for text in texts:
        if not re.fullmatch(rf"{_NAME}={_VALUE}", text):
            raise ValueError(f"{text[:80]!r} is no label; write name=value, with a name in lower case, as in gpu=a100.")
        name, _, value = text.partition("=")
        if labels.get(name, value) != value:
            raise ValueError(f"the label {name} has the values {labels[name]} and {value}; give it one.")
        labels[name] = value
    if len(labels) > MAX_LABELS:
        raise ValueError(f"{len(labels)} labels are too many; at most {MAX_LABELS} are allowed.")
    return labels


def satisfy(labels: Mapping[str, str], needs: Collection[str]) -> bool:
    """Whether a worker with these labels has all that a task needs."""
    return all(_has(labels, need) for need in needs)


def in_words(labels: Mapping[str, str]) -> str:
    """The labels as an operator writes them, in the order of their names, such as "gpu=a100, room=2"."""
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _has(labels: Mapping[str, str], need: str) -> bool:
    name, _, value = need.partition("=")
    return name in labels and value in ("", labels[name])
