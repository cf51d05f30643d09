"""Which free workers help which attempt. Pure.

The table is in memory only: after a restart of the broker, the next heartbeats fill it again.
"""

from __future__ import annotations

from collections.abc import Hashable


class HelpTable:
    """For each task that is being trained, the workers that help it, by their places from 1 on.

    Workers are named by any hashable key. A worker helps one task at most.
    """

    def __init__(self) -> None:
        self._places: dict[str, dict[int, Hashable]] = {}
        self._task_of: dict[Hashable, str] = {}
        self._done: dict[str, set[Hashable]] = {}

    def __len__(self) -> int:
        """How many workers help."""
        return len(self._task_of)

    def task_of(self, worker: Hashable) -> str:
        """The task that the worker helps; "" if it helps none."""
        return self._task_of.get(worker, "")

    def place_of(self, worker: Hashable) -> int:
        """The place of a worker that helps."""
        places = self._places[self._task_of[worker]]
        return next(place for place, key in places.items() if key == worker)

    def count(self, task_id: str) -> int:
        """How many workers help the task."""
        return len(self._places.get(task_id, ()))

    def join(self, task_id: str, worker: Hashable) -> None:
        """From now on the worker helps the task, in the lowest place that is free."""
        places = self._places.setdefault(task_id, {})
        place = next(number for number in range(1, len(places) + 2) if number not in places)
        places[place] = worker
        self._task_of[worker] = task_id

    def leave(self, worker: Hashable) -> None:
        """The worker helps no more."""
        task_id = self._task_of.pop(worker, "")
        places = self._places.get(task_id, {})
        for place in [number for number, key in places.items() if key == worker]:
            del places[place]
        if not places:
            self._places.pop(task_id, None)

    def shrink(self, task_id: str, most: int) -> None:
        """Let workers leave until at most `most` of them help the task, those in the highest places first."""
        for place in sorted(self._places.get(task_id, {}), reverse=True)[: max(0, self.count(task_id) - most)]:
            self.leave(self._places[task_id][place])

    def done(self, task_id: str, worker: Hashable) -> None:
        """The worker can do nothing more for this attempt, so it is not asked again."""
        if self.task_of(worker) == task_id:
            self.leave(worker)
        self._done.setdefault(task_id, set()).add(worker)

    def is_done(self, task_id: str, worker: Hashable) -> bool:
        return worker in self._done.get(task_id, ())

    def end(self, task_id: str) -> None:
        """The attempt is over: nobody helps it any more, and nothing is remembered of it."""
        self.shrink(task_id, 0)
        self._done.pop(task_id, None)
