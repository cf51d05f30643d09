"""The front-end's copy of the tasks, updated by the broker's publications. Pure.

Publications may be lost, and a snapshot may overtake them or arrive after them. So each entry has the number of the
fact that it reflects, and only a higher number replaces it. A gap in the numbers means that a publication was missed,
and a snapshot is needed (the Clone pattern of the ZeroMQ guide). Requests are repeated until a snapshot arrives that
was made after the gap, because the request may get lost and a snapshot on its way may be older than the gap.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from protocol.messages import Progress, SnapshotPart, TaskChanged, Tick
from protocol.task import Task, TaskState
from web.answers.views import brief_view

#: After this many ticks with a lower number than ours, the cache is emptied: see `apply_tick`.
TICKS_UNTIL_ANEW = 3


class Entry(msgspec.Struct, gc=False):
    """seq: the number of the fact that `task` reflects. json: the answer to `GET /`, encoded at the first call."""

    seq: int
    task: Task
    progress: Progress | None = None
    json: bytes | None = None

    def brief_json(self) -> bytes:
        if self.json is None:
            self.json = msgspec.json.encode(brief_view(self.task, self.progress))
        return self.json


class TaskCache:
    def __init__(self, capacity: int) -> None:
        """capacity: the number of entries above which ended tasks are dropped, oldest first. Live tasks always stay."""
        self._capacity = capacity
        self._entries: dict[str, Entry] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        #: The request that the parts of the present snapshot answer, and the tasks that they had so far.
        self._snapshot_request = 0
        self._snapshot_ids: set[str] = set()
        self._ticks_behind = 0
        #: The number of the newest fact that was missed; 0 if none is missing.
        self._missed_up_to = 0
        self._report_change: Callable[[Task | None, Task | None], None] = lambda before, after: None
        self._report_other_journal: Callable[[], None] = lambda: None
        self.seq = 0
        self.synced = False
        #: How many snapshots were applied to the end.
        self.snapshots = 0

    def report_changes_to(self, take: Callable[[Task | None, Task | None], None]) -> None:
        """take: called with a task as it was and as it is. None stands for a task that is not in the cache.

        An ended task that is dropped to make room is not reported.
        """
        self._report_change = take

    def report_other_journal_to(self, take: Callable[[], None]) -> None:
        """take: called when the cache has been emptied, because the broker has another journal than before."""
        self._report_other_journal = take

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, task_id: str) -> Entry | None:
        return self._entries.get(task_id)

    def entries(self) -> list[Entry]:
        """All entries, as a new list."""
        return list(self._entries.values())

    def brief_json(self, task_id: str) -> bytes | None:
        """The answer to `GET /?taskId=…`. None if the task is not in the cache."""
        entry = self._entries.get(task_id)
        return entry.brief_json() if entry is not None else None

    def put(self, task: Task, seq: int) -> None:
        """Store a task as it is after fact number `seq`, unless the entry is newer."""
        entry = self._entries.get(task.task_id)
        if entry is not None and entry.seq >= seq:
            return
        progress = entry.progress if entry is not None else None
        if progress is not None and (progress.attempt != task.attempt or task.state is not TaskState.PROCESSING):
            progress = None
        self._entries[task.task_id] = Entry(seq, task, progress)
        self._report_change(entry.task if entry is not None else None, task)
        if task.ended:
            self._ended[task.task_id] = None
            self._evict()

    @property
    def behind(self) -> bool:
        """Whether publications were missed and no snapshot has made up for them yet."""
        return self._missed_up_to > 0

    def apply_change(self, change: TaskChanged) -> bool:
        """Apply a publication. Returns True if earlier ones were missed, so that a snapshot is needed."""
        self.put(change.task, change.seq)
        if change.seq > self.seq + 1:
            self._missed_up_to = change.seq - 1
        self.seq = max(self.seq, change.seq)
        return self.behind

    def apply_tick(self, tick: Tick) -> bool:
        """Returns True if a snapshot is needed.

        If the broker's number stays below ours, it has another journal than before, for example a restored one. The
        cache is emptied then.
        """
        self._ticks_behind = self._ticks_behind + 1 if tick.seq < self.seq else 0
        if self._ticks_behind >= TICKS_UNTIL_ANEW:
            self._start_anew()
        return tick.seq > self.seq or self.behind or not self.synced

    def apply_progress(self, progress: Progress) -> None:
        """Store the progress if it is newer and belongs to the attempt that is being trained. Ignore any other."""
        entry = self._entries.get(progress.task_id)
        if entry is None or entry.task.state is not TaskState.PROCESSING or entry.task.attempt != progress.attempt:
            return
        if entry.progress is None or progress.progress >= entry.progress.progress:
            entry.progress = progress
            entry.json = None

    def apply_snapshot(self, part: SnapshotPart) -> bool:
        """Apply one part of a snapshot. Returns True after the last part: the cache is complete then.

        While the leadership passes from one broker to another, the parts of two snapshots may come in turns. Only those
        of the one that began last count.
        """
        if part.first:
            self._snapshot_request = part.request_id
            self._snapshot_ids.clear()
        elif part.request_id != self._snapshot_request:
            return False
        for task in part.tasks:
            self._snapshot_ids.add(task.task_id)
            self.put(task, part.seq)
        for progress in part.progress:
            self.apply_progress(progress)
        if part.last:
            self._forget_live_tasks_outside(part.seq)
            self.seq = max(self.seq, part.seq)  # Publications may be newer than the snapshot.
            self.synced = True
            self.snapshots += 1
            if part.seq >= self._missed_up_to:
                self._missed_up_to = 0
        return part.last

    def _forget_live_tasks_outside(self, seq: int) -> None:
        """Drop live tasks that the snapshot lacks. They ended long ago, so GET must ask the broker about them."""
        for task_id, entry in list(self._entries.items()):
            if entry.seq <= seq and not entry.task.ended and task_id not in self._snapshot_ids:
                del self._entries[task_id]
                self._report_change(entry.task, None)

    def _start_anew(self) -> None:
        for entry in self._entries.values():
            self._report_change(entry.task, None)
        self._entries.clear()
        self._ended.clear()
        self.seq, self._ticks_behind, self._missed_up_to, self.synced = 0, 0, 0, False
        self._report_other_journal()

    def _evict(self) -> None:
        while len(self._entries) > self._capacity and self._ended:
            task_id, _ = self._ended.popitem(last=False)
            self._entries.pop(task_id, None)
