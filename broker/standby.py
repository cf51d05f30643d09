"""Stand by: wait while another broker leads, without any socket that front-ends or workers could find."""

from __future__ import annotations

import logging
import time

log = logging.getLogger("broker")

#: How often to look whether the other broker still leads. SIGTERM ends the process meanwhile.
LOOK_INTERVAL_S = 0.25


class Standby:
    def __init__(self) -> None:
        self._leader: str | None = None

    def wait(self, leader: str) -> None:
        """Wait for a moment. The log says once for each leader that this broker stands by."""
        if leader != self._leader:
            self._leader = leader
            log.info("action=broker.standing_by leader=%r reason='this broker leads when that one has ended'", leader)
        time.sleep(LOOK_INTERVAL_S)
