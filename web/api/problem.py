"""The body of every refused call."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType


class Problem(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Why a call was refused."""

    error: Annotated[str, Meta(description="a sentence that says what to do")]
    code: Annotated[str, Meta(description="a stable word for programs")]
    field: Annotated[str | UnsetType, Meta(description="the field that is at fault, if it is one")] = UNSET
    fields: Annotated[dict[str, str] | UnsetType, Meta(description="a sentence for each field at fault")] = UNSET
    state: Annotated[str | UnsetType, Meta(description="the state of the task that the call was about")] = UNSET
    position: Annotated[int | UnsetType, Meta(description="with queue_full: the place that it would have")] = UNSET
