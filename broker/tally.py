"""Counts errors that repeat, and logs the count once a second at most."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("broker")

INTERVAL_S = 1.0


class Tally:
    """Counts by kind. A peer that sends invalid messages without pause must not fill the disk with log lines."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._said_at_s: dict[str, float] = {}
        self._unsaid: dict[str, object] = {}

    def add(self, action: str, reason: object) -> None:
        """Count one more of this kind. The first one is logged at once."""
        self._counts[action] = self._counts.get(action, 0) + 1
        self._unsaid[action] = reason
        if time.monotonic() - self._said_at_s.get(action, -INTERVAL_S) >= INTERVAL_S:
            self._say(action)

    def flush(self) -> None:
        """Log what has been counted since the last call. Call this about once a second."""
        for action in list(self._unsaid):
            self._say(action)

    def _say(self, action: str) -> None:
        self._said_at_s[action] = time.monotonic()
        log.warning("action=%s count=%d reason=%r", action, self._counts[action], str(self._unsaid.pop(action)))
