"""Is the broker alive, and what does its newest tick say about workers and queue?"""

from __future__ import annotations

import time
from collections.abc import Callable

from protocol import messages as m

#: The broker sends a tick every second. After this long without one it counts as away.
AWAY_AFTER_S = 3.5


class BrokerPulse:
    """Pass `take` to Publications as a listener."""

    def __init__(self) -> None:
        self._tick: m.Tick | None = None
        self._ticked_at_s = 0.0
        self._stuck_since_s: float | None = None
        self._report_restart: Callable[[], None] = lambda: None

    def report_restarts_to(self, take: Callable[[], None]) -> None:
        """take: called when a tick comes from a later start of the broker than the tick before."""
        self._report_restart = take

    @property
    def tick(self) -> m.Tick | None:
        """The broker's newest tick. None if it is older than AWAY_AFTER_S."""
        return self._tick if time.monotonic() - self._ticked_at_s < AWAY_AFTER_S else None

    @property
    def stuck_for_s(self) -> float:
        """For how many seconds tasks have been waiting although workers that could start them are free."""
        return time.monotonic() - self._stuck_since_s if self._stuck_since_s is not None else 0.0

    def take(self, message: m.Published) -> None:
        if not isinstance(message, m.Tick):
            return
        if self._tick is not None and self._tick.started_at_s != message.started_at_s:
            self._report_restart()
        self._tick, self._ticked_at_s = message, time.monotonic()
        if not message.overdue:
            self._stuck_since_s = None
        elif self._stuck_since_s is None:
            self._stuck_since_s = self._ticked_at_s
