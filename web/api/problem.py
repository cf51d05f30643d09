"""The body of every refused call."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.text import as_utf8

#: The page with a section for each code.
ERROR_PAGE = "/docs/errors"


class Problem(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Why a call was refused."""

    error: Annotated[str, Meta(description="a sentence that says what to do")]
    code: Annotated[str, Meta(description="a stable word for programs")]
    field: Annotated[str | UnsetType, Meta(description="the field that is at fault, if it is exactly one")] = UNSET
    fields: Annotated[dict[str, str] | UnsetType, Meta(description="a sentence for each field at fault")] = UNSET
    docs: Annotated[str, Meta(description="the path of the page that explains the code")]
    state: Annotated[str | UnsetType, Meta(description="the state of the task that the call was about")] = UNSET
    position: Annotated[int | UnsetType, Meta(description="with queue_full: the place that it would have")] = UNSET


class ProblemDetails(Problem, frozen=True, rename="camel", kw_only=True):
    """The same after RFC 9457, for callers whose Accept names application/problem+json."""

    type: Annotated[str, Meta(description="the same as `docs`")]
    title: Annotated[str, Meta(description="the code in words")]
    status: Annotated[int, Meta(ge=400, le=599, description="the HTTP status")]
    detail: Annotated[str, Meta(description="the same as `error`")]


def make_problem(
    code: str, error: str, fields: Mapping[str, str] | None = None, state: str = "", position: int = 0
) -> Problem:
    """fields: a sentence for each field at fault. state: that of the task in question. position: see Problem.

    A name that came with the call may hold what UTF-8 cannot, and is then shown with question marks.
    """
    fields = {as_utf8(name): as_utf8(words) for name, words in (fields or {}).items()}
    return Problem(
        error=as_utf8(error),
        code=code,
        field=next(iter(fields)) if len(fields) == 1 else UNSET,
        fields=fields or UNSET,
        docs=f"{ERROR_PAGE}#{code}",
        state=state or UNSET,
        position=position or UNSET,
    )


def with_details(problem: Problem, status: HTTPStatus) -> ProblemDetails:
    """The same problem with the members of RFC 9457."""
    return ProblemDetails(
        **{name: getattr(problem, name) for name in problem.__struct_fields__},
        type=problem.docs,
        title=problem.code.replace("_", " ").capitalize(),
        status=status.value,
        detail=problem.error,
    )
