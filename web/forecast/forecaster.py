"""Makes the forecast anew while somebody asks for it, in a thread and for a bounded share of one processor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable

from protocol.messages import Tick
from protocol.task import Task
from web.broker_link.task_cache import Entry, TaskCache
from web.forecast.eta import End, forecast

#: The longest that an answer waits for a new forecast. What is not there by then is left out.
PATIENCE_S = 0.2
#: A forecast serves all tasks until it is as old as this many times the seconds that it took.
REST_FACTOR = 20
#: Before a forecast, folders are counted for this long. Further ones have to wait for the next forecast.
COUNTING_S = 0.1


class Forecaster:
    """Create inside a running event loop."""

    def __init__(self, cache: TaskCache, tick: Callable[[], Tick | None], count: Callable[[Task], int | None]) -> None:
        """tick: the broker's newest, None while it is away.

        count: counts the pictures of a task's project; None while that is not known. It is called in a thread.
        """
        self._cache = cache
        self._tick = tick
        self._count = count
        #: By taskId, of the live tasks whose folders have been counted.
        self.pictures: dict[str, int] = {}
        self._ends: dict[str, End] = {}
        #: The live tasks of the last forecast, also those of which nothing could be said.
        self._looked_at: frozenset[str] = frozenset()
        self._due_at_s = 0.0
        self._under_way: asyncio.Task[None] | None = None

    async def end_of(self, task: Task) -> End | None:
        """When the task should end; None when that cannot be said."""
        return (await self.ends_of([task])).get(task.task_id)

    async def ends_of(self, tasks: Iterable[Task]) -> dict[str, End]:
        """The same for several tasks, by taskId. Those of which nothing can be said are left out."""
        live = [task.task_id for task in tasks if not task.ended]
        rest_s = self._due_at_s - time.monotonic()
        if live and (rest_s <= 0.0 or not self._looked_at.issuperset(live)):
            if self._under_way is None or self._under_way.done():
                self._under_way = asyncio.create_task(self._make())
            if rest_s < PATIENCE_S:
                await asyncio.wait({self._under_way}, timeout=PATIENCE_S)
        return {task_id: self._ends[task_id] for task_id in live if task_id in self._ends}

    async def _make(self) -> None:
        await asyncio.sleep(self._due_at_s - time.monotonic())
        began_s, tick, entries = time.monotonic(), self._tick(), self._cache.entries()
        # A worker that drains, idle or busy, starts none of the tasks that wait.
        last_tasks = tick.last_tasks if tick else ()
        workers = tick.workers - tick.draining - len(last_tasks) if tick else 0
        self._ends = await asyncio.to_thread(self.make, entries, workers, last_tasks)
        ended_s = time.monotonic()
        self._due_at_s = ended_s + REST_FACTOR * (ended_s - began_s)

    def make(self, entries: list[Entry], workers: int, last_tasks: Collection[str] = ()) -> dict[str, End]:
        """Count what is uncounted, then forecast, with `workers` and `last_tasks` as there. Runs in a thread."""
        live = {entry.task.task_id: entry.task for entry in entries if not entry.task.ended}
        counts = {task_id: count for task_id, count in self.pictures.items() if task_id in live}
        until_s = time.monotonic() + COUNTING_S
        for task_id, task in reversed(live.items()):  # the newest first: they are asked for more than the others
            is_wanted = task_id not in counts and time.monotonic() < until_s
            if is_wanted and (counted := self._count(task)) is not None:
                counts[task_id] = counted
        self.pictures = counts
        known = [(entry.task, entry.progress) for entry in entries]
        ends = forecast(known, workers, counts, time.time(), last_tasks)
        self._looked_at = frozenset(live)
        return ends
