"""Labels say what a worker has, and needs say what a task must find at its worker. Pure.

A label has a name and a value, such as gpu=a100. A need is the name of a label ("gpu": any value will do) or a name
with a value ("gpu=a100": only this one).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated

from msgspec import Meta

MAX_LABELS = 16
MAX_NEEDS = 4
_NAME = r"[a-z][a-z0-9_-]{0,31}"
_VALUE = r"[A-Za-z0-9._-]{1,31}"

LabelName = Annotated[str, Meta(pattern=rf"\A{_NAME}\Z", max_length=32)]
LabelValue = Annotated[str, Meta(pattern=rf"\A{_VALUE}\Z", max_length=31)]
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


def satisfy(labels: Mapping[str, str], needs: Collection[str]) -> bool:
    """Whether a worker with these labels has all that a task needs."""
    return all(_has(labels, need) for need in needs)


def in_words(labels: Mapping[str, str]) -> str:
    """The labels as an operator writes them, in the order of their names, such as "gpu=a100, room=2"."""
    return ", ".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _has(labels: Mapping[str, str], need: str) -> bool:
    name, _, value = need.partition("=")
    return name in labels and value in ("", labels[name])
