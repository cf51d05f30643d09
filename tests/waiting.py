"""Waiting for something to become true, without a fixed pause: poll, and fail saying what was seen last."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

#: What is waited for comes at once on a quiet machine. Only what hangs takes as long as this on a busy one.
TIMEOUT_S = 120.0
#: Looks cost processor time. What has not come soon is looked for less often, after another tenth of the time so far.
POLL_INTERVAL_S, LONGEST_POLL_INTERVAL_S = 0.01, 0.05


def wait_until(look: Callable[[], Seen], what: str | Callable[[], str], timeout_s: float = TIMEOUT_S) -> Seen:
    """The first true value of `look`; AssertionError with `what` and the last value when none comes in time.

    what: in words, or what makes them then.
    """
    pause = threading.Event()
    began_s = time.monotonic()
    while not (seen := look()):
        waited_s = time.monotonic() - began_s
        if waited_s > timeout_s:
            words = what if isinstance(what, str) else what()
            raise AssertionError(f"waited {timeout_s:.0f} s for {words}; last seen: {seen!r}")
        pause.wait(min(max(waited_s / 10, POLL_INTERVAL_S), LONGEST_POLL_INTERVAL_S))
    return seen
