"""Count repeated errors, and log each kind at most once a second."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("broker")

INTERVAL_S = 1.0


class Tally:
    """One counter for each kind. It keeps a peer that floods the broker with bad messages from filling the log."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._said_at_s: dict[str, float] = {}
        self._unsaid: dict[str, object] = {}

    def add(self, action: str, reason: object) -> None:
        """Count one more of this kind. Log it at once, unless this kind was logged within the last second."""
        self._counts[action] = self._counts.get(action, 0) + 1
        self._unsaid[action] = reason
        self._say_if_due(action)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind there were since the start."""
        return dict(self._counts)

    def flush(self) -> None:
        """Log the kinds that have been counted but not logged yet. Call this about once a second, or more often."""
        for action in list(self._unsaid):
            self._say_if_due(action)

    def _say_if_due(self, action: str) -> None:
        now_s = time.monotonic()
        if now_s - self._said_at_s.get(action, -INTERVAL_S) < INTERVAL_S:
            return
        self._said_at_s[action] = now_s
        log.warning("action=%s count=%d reason=%r", action, self._counts[action], str(self._unsaid.pop(action)))
