"""The id of the HTTP call that is being answered. The log formatters add it to every line of the call."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

#: "" outside of calls. Each asyncio task inherits the value from the one that started it.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")


@contextlib.contextmanager
def logged_request(request_id: str) -> Iterator[None]:
    """Lines that are logged inside of this block, in the same thread or task, name the request."""
    token = REQUEST_ID.set(request_id)
    try:
        yield
    finally:
        REQUEST_ID.reset(token)
