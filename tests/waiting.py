"""Waiting for something to become true, without a fixed pause: poll, and fail saying what was seen last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

#: What is waited for comes at once on a quiet machine. Only what hangs takes as long as this on a busy one.
TIMEOUT_S = 120.0
POLL_INTERVAL_S = 0.01


def wait_until(look: Callable[[], Seen], what: str | Callable[[], str], timeout_s: float = TIMEOUT_S) -> Seen:
    """The first true value of `look`; AssertionError with `what` and the last value when none comes in time.

    what: in words, or what makes them then.
    """
    pause = threading.Event()
    give_up_at_s = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > give_up_at_s:
            words = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {timeout_s:.0f} s for {words}; last seen: {seen!r}")
        pause.wait(POLL_INTERVAL_S)
    return seen
