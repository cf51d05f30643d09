"""What can be trained, so that a page can draw a form for it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta


class LayoutView(msgspec.Struct, frozen=True, rename="camel"):
    """A layout of the project folder. docs/layouts.md has them in full."""

    name: Annotated[str, Meta(description="the name that reports on folders have in `layout`")]
    sentence: Annotated[str, Meta(description="what such a folder holds")]


class TrainTypeView(msgspec.Struct, frozen=True, rename="camel"):
    """One kind of model."""

    name: Annotated[str, Meta(description="the trainType of a POST")]
    options: Annotated[
        dict[str, Any],
        Meta(description="JSON Schema of `options`: types, bounds, defaults and descriptions; it has no references"),
    ]
    layouts: tuple[LayoutView, ...]


class TrainTypeList(msgspec.Struct, frozen=True, rename="camel"):
    """What can be trained, with which options, from which folders."""

    train_types: tuple[TrainTypeView, ...]
