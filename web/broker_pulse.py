"""Whether the broker is alive, and what its newest tick says of the workers and the queue."""

from __future__ import annotations

import time

from protocol import messages as m

#: The broker ticks every second; after this much silence it counts as away.
AWAY_AFTER_S = 3.5


class BrokerPulse:
    """Give `take` to Publications as a listener."""

    def __init__(self) -> None:
        self._tick: m.Tick | None = None
        self._ticked_at_s = 0.0
        self._stuck_since_s: float | None = None

    @property
    def tick(self) -> m.Tick | None:
        """The broker's newest tick; None when it has been silent for too long."""
        return self._tick if time.monotonic() - self._ticked_at_s < AWAY_AFTER_S else None

    @property
    def stuck_for_s(self) -> float:
        """For how long tasks have been waiting while workers are free."""
        return time.monotonic() - self._stuck_since_s if self._stuck_since_s is not None else 0.0

    def take(self, message: m.Published) -> None:
        if not isinstance(message, m.Tick):
            return
        self._tick, self._ticked_at_s = message, time.monotonic()
        if not (message.pending and message.free):
            self._stuck_since_s = None
        elif self._stuck_since_s is None:
            self._stuck_since_s = self._ticked_at_s
