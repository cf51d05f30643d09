"""The waiting tasks in the order in which they should start. Pure.

Tasks are ordered by priority, then by fairness between users, then by time of arrival. Fairness is start-time fair
queueing (Goyal, Vin and Cheng, 1996): each waiting task has a virtual start time. It is one more than that of the same
user's previous task, and at least that of the task that was started last. So one user's first task starts before most
of another user's hundred tasks, and a user gains nothing by pausing.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from protocol.labels import satisfy
from protocol.task import Task, TaskSpec

#: (minus priority, virtual start time, order of arrival, task_id)
_Entry = tuple[int, int, int, str]
#: Heaps and tables may hold this many entries of tasks that have gone, beyond twice the number of the waiting ones.
_MOST_STALE = 1000


class TaskKind(NamedTuple):
    """What a worker must be able to train, and what it must have (see protocol/labels.py)."""

    train_type: str
    needs: tuple[str, ...]


def kind_of(spec: TaskSpec) -> TaskKind:
    return TaskKind(spec.train_type, spec.needs)


class WaitingTasks:
    """One heap for each kind of task. Adding, removing and starting a task take O(log n) at most.

    If a user already has as many running tasks as allowed when the turn of the user's next task comes, that task is
    parked. Each time a running task of the user ends, one parked task returns to its heap.
    """

    def __init__(self, max_running_per_user: int = 0) -> None:
        """max_running_per_user: 0 means no limit."""
        self._max_running = max_running_per_user
        self._heaps: dict[TaskKind, list[_Entry]] = {}
        self._waiting: dict[str, _Entry] = {}
        self._kind_of: dict[str, TaskKind] = {}
        self._startable: Counter[TaskKind] = Counter()
        self._user_of: dict[str, str] = {}
        self._waiting_of_kind: Counter[TaskKind] = Counter()
        self._waiting_of_user: dict[str, Counter[TaskKind]] = {}
        self._running_of_user: Counter[str] = Counter()
        self._parked: dict[str, list[_Entry]] = {}
        self._parked_ids: set[str] = set()
        self._last_time_of_user: dict[str, int] = {}
        self._now = 0
        self._arrivals = 0
        self._removed = 0
        #: The waiting tasks in their order, until one is added or removed.
        self._order: list[str] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def startable(self) -> int:
        """How many tasks a free worker could start. The parked ones first wait until a task of their user ends."""
        return len(self._waiting) - len(self._parked_ids)

    @property
    def startable_by_kind(self) -> Mapping[TaskKind, int]:
        """How many tasks of each waiting kind a free worker could start."""
        return self._startable

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._waiting

    def add(self, task: Task) -> None:
        """Add a task. One that has been tried before goes ahead of its user's other tasks of that priority."""
        user_id = task.spec.user_id
        if task.attempt > 1:
            time = self._now
        else:
            time = max(self._now, self._last_time_of_user.get(user_id, -1) + 1)
            self._last_time_of_user[user_id] = time
        self._arrivals += 1
        arrival = 0 if task.attempt > 1 else self._arrivals
        entry = (-task.spec.priority, time, arrival, task.task_id)
        self._waiting[task.task_id] = entry
        self._order = None
        self._user_of[task.task_id] = user_id
        self._kind_of[task.task_id] = kind = kind_of(task.spec)
        self._waiting_of_user.setdefault(user_id, Counter())[kind] += 1
        self._waiting_of_kind[kind] += 1
        self._make_startable(entry, kind)

    def remove(self, task_id: str) -> None:
        """Remove a task. Its heap entry stays until its turn comes, or until there are too many of those."""
        if self._waiting.pop(task_id, None) is None:
            return
        self._order = None
        kind = self._kind_of.pop(task_id)
        if task_id in self._parked_ids:
            self._parked_ids.discard(task_id)
        else:
            self._count(kind, -1)
        user_id = self._user_of.pop(task_id)
        self._count_out(user_id, kind)
        if not self._waiting:
            self._heaps.clear()
            self._parked.clear()
            self._last_time_of_user.clear()
        self._unpark_one(user_id)  # If it was the unparked one, another task of the user takes its turn.
        self._removed += 1
        if self._removed > _MOST_STALE + 2 * len(self._waiting):
            self._drop_stale()

    def of_user(self, user_id: str) -> int:
        """How many tasks of this user are waiting."""
        return self._waiting_of_user[user_id].total() if user_id in self._waiting_of_user else 0

    @property
    def kinds(self) -> Collection[TaskKind]:
        """The kinds of tasks that wait."""
        return self._waiting_of_kind.keys()

    def kinds_of_user(self, user_id: str) -> int:
        """How many kinds of waiting tasks this user has."""
        return len(self._waiting_of_user.get(user_id, ()))

    def places(self, user_id: str, after: int, most: int) -> list[tuple[int, str]]:
        """Up to `most` waiting tasks with their places from 1 on, in the order in which they should start.

        user_id: only tasks of this user; "" for all. after: the place after which to begin. A limit on a user's running
        tasks is left out of account: it moves the user's tasks back for an unknown time.
        """
        if self._order is None:
            self._order = [entry[3] for entry in sorted(self._waiting.values())]
        wanted = (
            (place, task_id)
            for place, task_id in enumerate(itertools.islice(self._order, after, None), after + 1)
            if not user_id or self._user_of[task_id] == user_id
        )
        return list(itertools.islice(wanted, most))

    def running(self, user_id: str, change: int) -> None:
        """Record that one more task of this user is being trained (change=1), or one less (change=-1)."""
        self._running_of_user[user_id] += change
        if not self._running_of_user[user_id]:
            del self._running_of_user[user_id]
        if change < 0:
            self._unpark_one(user_id)

    def first(self, train_types: Collection[str], labels: Mapping[str, str]) -> str | None:
        """The task that a worker for these trainTypes with these labels should start next. It stays in the queue."""
        kinds = [kind for kind in self._heaps if kind.train_type in train_types and satisfy(labels, kind.needs)]
        heads = [entry for entry in map(self._head, kinds) if entry is not None]
        return min(heads)[3] if heads else None

    def start(self, task_id: str) -> None:
        """Remove a task from the queue because its training starts. This advances the virtual time to the task's."""
        entry = self._waiting.get(task_id)
        if entry is not None:
            self._now = max(self._now, entry[1])
            self.remove(task_id)

    def _make_startable(self, entry: _Entry, kind: TaskKind) -> None:
        heapq.heappush(self._heaps.setdefault(kind, []), entry)
        self._count(kind, 1)

    def _count(self, kind: TaskKind, change: int) -> None:
        self._startable[kind] += change
        if not self._startable[kind]:
            del self._startable[kind]

    def _count_out(self, user_id: str, kind: TaskKind) -> None:
        """A waiting task of this user and kind has gone."""
        of_user = self._waiting_of_user[user_id]
        of_user[kind] -= 1
        if not of_user[kind]:
            del of_user[kind]
        if not of_user:
            del self._waiting_of_user[user_id]
        self._waiting_of_kind[kind] -= 1
        if not self._waiting_of_kind[kind]:
            del self._waiting_of_kind[kind]
            self._heaps.pop(kind, None)

    def _drop_stale(self) -> None:
        """Drop the entries of tasks that have gone. No turn would ever come to those behind a task that never starts.

        A virtual time in the past has no effect any more. One of a user who waits for nothing is forgotten as well.
        """
        self._removed = 0
        for heaps in (self._heaps.values(), self._parked.values()):
            for heap in heaps:
                heap[:] = [entry for entry in heap if self._waiting.get(entry[3]) == entry]
                heapq.heapify(heap)
        self._parked = {user_id: parked for user_id, parked in self._parked.items() if parked}
        self._last_time_of_user = {
            user_id: time
            for user_id, time in self._last_time_of_user.items()
            if time >= self._now and user_id in self._waiting_of_user
        }

    def _unpark_one(self, user_id: str) -> None:
        parked = self._parked.get(user_id, [])
        while parked:
            entry = heapq.heappop(parked)
            if self._waiting.get(entry[3]) == entry:
                self._parked_ids.discard(entry[3])
                self._make_startable(entry, self._kind_of[entry[3]])
                break
        if not parked:
            self._parked.pop(user_id, None)

    def _head(self, kind: TaskKind) -> _Entry | None:
        heap = self._heaps[kind]
        while heap:
            entry = heap[0]
            if self._waiting.get(entry[3]) != entry:
                heapq.heappop(heap)
                continue
            user_id = self._user_of[entry[3]]
            if not self._max_running or self._running_of_user[user_id] < self._max_running:
                return entry
            heapq.heappush(self._parked.setdefault(user_id, []), heapq.heappop(heap))
            self._parked_ids.add(entry[3])
            self._count(kind, -1)
        del self._heaps[kind]
        return None
