"""Keeps the forecast of all tasks' ends fresh while somebody asks for it, at a bounded share of one processor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from protocol.messages import Tick
from protocol.task import Task, TaskState
from web.eta import End, forecast
from web.picture_counts import PictureCounts
from web.task_cache import TaskCache

#: The longest that an answer waits for a count or a forecast; what is not there by then is left out.
PATIENCE_S = 0.2
#: One forecast serves all tasks. Made anew when the last one is as old as this many times what it took to make.
REST_FACTOR = 20


class Forecaster:
    """Create inside a running event loop. The work is done in threads: a long queue does not hold up other calls."""

    def __init__(self, cache: TaskCache, tick: Callable[[], Tick | None]) -> None:
        """tick: the broker's newest, None while it is away."""
        self._cache = cache
        self._tick = tick
        self._pictures = PictureCounts()
        self._ends: dict[str, End] = {}
        self._due_at_s = 0.0
        self._under_way: asyncio.Task[None] | None = None

    async def end_of(self, task: Task) -> End | None:
        """When the task should end; None when that cannot be said."""
        if task.ended:
            return None
        if task.state is TaskState.PENDING:
            await self._pictures.count(task, PATIENCE_S)
        if time.monotonic() >= self._due_at_s or task.task_id not in self._ends:
            await self._wait_for_next()
        if task.task_id not in self._ends:
            await self._wait_for_next()  # The first had begun before the task came.
        return self._ends.get(task.task_id)

    async def _wait_for_next(self) -> None:
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._make())
        await asyncio.wait({self._under_way}, timeout=PATIENCE_S)

    async def _make(self) -> None:
        await asyncio.sleep(self._due_at_s - time.monotonic())
        tick, pictures, began_s = self._tick(), self._pictures.known(), time.monotonic()
        entries = self._cache.entries()
        workers = tick.workers if tick else 0
        self._ends = await asyncio.to_thread(
            lambda: forecast([(entry.task, entry.progress) for entry in entries], workers, pictures, time.time())
        )
        ended_s = time.monotonic()
        self._due_at_s = ended_s + REST_FACTOR * (ended_s - began_s)
