"""Is the broker alive, and what does its newest tick say about workers and queue?"""

from __future__ import annotations

import time

from protocol import messages as m

#: The broker sends a tick every second. After this long without one it counts as away.
AWAY_AFTER_S = 3.5


class BrokerPulse:
    """Pass `take` to Publications as a listener."""

    def __init__(self) -> None:
        self._tick: m.Tick | None = None
        self._ticked_at_s = 0.0
        self._stuck_since_s: float | None = None

    @property
    def tick(self) -> m.Tick | None:
        """The broker's newest tick. None if it is older than AWAY_AFTER_S."""
        return self._tick if time.monotonic() - self._ticked_at_s < AWAY_AFTER_S else None

    @property
    def stuck_for_s(self) -> float:
        """For how many seconds tasks have been waiting although workers are free."""
        return time.monotonic() - self._stuck_since_s if self._stuck_since_s is not None else 0.0

    def take(self, message: m.Published) -> None:
        if not isinstance(message, m.Tick):
            return
        self._tick, self._ticked_at_s = message, time.monotonic()
        if not (message.pending and message.free):
            self._stuck_since_s = None
        elif self._stuck_since_s is None:
            self._stuck_since_s = self._ticked_at_s
