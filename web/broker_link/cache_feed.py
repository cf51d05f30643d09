"""Fill the task cache with what the broker publishes, and with a snapshot whenever publications were missed."""

from __future__ import annotations

import logging
import time

from protocol import messages as m
from web.broker_link.broker_requests import BrokerRequests
from web.broker_link.task_cache import TaskCache

log = logging.getLogger("web")

#: The shortest time between two requests for a snapshot. Many publications may show the same gap.
SNAPSHOT_INTERVAL_S = 0.5


class CacheFeed:
    """Pass `take` to Publications as a listener."""

    def __init__(self, cache: TaskCache, requests: BrokerRequests) -> None:
        self._cache = cache
        self._requests = requests
        self._asked_at_s = 0.0
        requests.deliver_snapshots_to(self._take_part)

    def take(self, message: m.Published) -> None:
        missed = False
        match message:
            case m.TasksChanged():
                for change in message.changes:
                    missed = self._cache.apply_change(change)
            case m.Progress():
                self._cache.apply_progress(message)
            case m.Tick():
                missed = self._cache.apply_tick(message)
        if missed or not self._cache.synced:
            self._ask_for_snapshot()

    def _ask_for_snapshot(self) -> None:
        now_s = time.monotonic()
        if now_s - self._asked_at_s >= SNAPSHOT_INTERVAL_S:
            self._asked_at_s = now_s
            self._requests.ask_for_snapshot()

    def _take_part(self, part: m.SnapshotPart) -> None:
        if self._cache.apply_snapshot(part):
            self._asked_at_s = 0.0
            log.info("action=cache.synced seq=%d tasks=%d", part.seq, len(self._cache))
