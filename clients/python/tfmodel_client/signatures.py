"""Makes a method that carries out a plan look, to help() and editors, as if it had been written for its class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

Method = TypeVar("Method", bound=Callable[..., Any])

_SELF = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)


def looks_like(plan: Callable[..., Any], method: Method, returns: str) -> Method:
    """Give the method the name, the documentation and the parameters of the plan.

    returns: the annotation of what the method returns, with {} for the type that the plan gives.
    """
    signature = inspect.signature(plan)
    given = str(signature.return_annotation).partition("[")[2].removesuffix("]")
    functools.update_wrapper(method, plan)
    shown = signature.replace(
        parameters=[_SELF, *signature.parameters.values()], return_annotation=returns.format(given)
    )
    method.__signature__ = shown  # type: ignore[attr-defined]
    return method
