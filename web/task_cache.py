"""The front-end's picture of all tasks, kept by the broker's publications. Pure.

Publications may be lost, and a snapshot may cross with them. Each entry therefore knows the number of the
fact that it reflects, and only a higher number replaces it; a gap in the numbers asks for a snapshot
(the zguide's Clone pattern), again and again until one comes that was made after the gap: the request may
be lost, and a snapshot that was on its way already may be older than what was missed.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from protocol.messages import Progress, SnapshotPart, TaskChanged, Tick
from protocol.task import Task, TaskState
from web.views import brief_view

TICKS_UNTIL_ANEW = 3


class Entry(msgspec.Struct, gc=False):
    """seq: the fact that `task` reflects. json: the eight fields, encoded when first asked for."""

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
        """capacity: entries; beyond it ended tasks are dropped, the oldest first. Live ones never are."""
        self._capacity = capacity
        self._entries: dict[str, Entry] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._snapshot_ids: set[str] = set()
        self._ticks_behind = 0
        #: The highest number among the facts that were missed; 0 when none is missing.
        self._missed_up_to = 0
        self.seq = 0
        self.synced = False

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, task_id: str) -> Entry | None:
        return self._entries.get(task_id)

    def entries(self) -> list[Entry]:
        """All of them, in a list of its own."""
        return list(self._entries.values())

    def brief_json(self, task_id: str) -> bytes | None:
        """The answer of `GET /?taskId=…`, or None when the task is not here."""
        entry = self._entries.get(task_id)
        return entry.brief_json() if entry is not None else None

    def put(self, task: Task, seq: int) -> None:
        """A task as of fact `seq`, from an answer of the broker or a publication."""
        entry = self._entries.get(task.task_id)
        if entry is not None and entry.seq >= seq:
            return
        progress = entry.progress if entry is not None else None
        if progress is not None and (progress.attempt != task.attempt or task.state is not TaskState.PROCESSING):
            progress = None
        self._entries[task.task_id] = Entry(seq, task, progress)
        if task.ended:
            self._ended[task.task_id] = None
            self._evict()

    @property
    def behind(self) -> bool:
        """Whether publications were missed that no snapshot has made good yet."""
        return self._missed_up_to > 0

    def apply_change(self, change: TaskChanged) -> bool:
        """Take a publication; True when publications before it were missed and a snapshot is needed."""
        self.put(change.task, change.seq)
        if change.seq > self.seq + 1:
            self._missed_up_to = change.seq - 1
        self.seq = max(self.seq, change.seq)
        return self.behind

    def apply_tick(self, tick: Tick) -> bool:
        """True when the broker is ahead of what was seen here.

        A broker that stays behind has another journal than before (the operator removed it): start anew.
        """
        self._ticks_behind = self._ticks_behind + 1 if tick.seq < self.seq else 0
        if self._ticks_behind >= TICKS_UNTIL_ANEW:
            self._start_anew()
        return tick.seq > self.seq or self.behind or not self.synced

    def apply_progress(self, progress: Progress) -> None:
        """Newer progress of the attempt that is being trained; anything else is out of date."""
        entry = self._entries.get(progress.task_id)
        if entry is None or entry.task.state is not TaskState.PROCESSING or entry.task.attempt != progress.attempt:
            return
        if entry.progress is None or progress.progress >= entry.progress.progress:
            entry.progress = progress
            entry.json = None

    def apply_snapshot(self, part: SnapshotPart) -> None:
        """One part of a snapshot; the last makes the cache synced and drops what the broker no longer holds."""
        if part.first:
            self._snapshot_ids.clear()
        for task in part.tasks:
            self._snapshot_ids.add(task.task_id)
            self.put(task, part.seq)
        for progress in part.progress:
            self.apply_progress(progress)
        if part.last:
            self._forget_live_tasks_outside(part.seq)
            self.seq = max(self.seq, part.seq)  # Publications may have overtaken the snapshot.
            self.synced = True
            if part.seq >= self._missed_up_to:
                self._missed_up_to = 0

    def _forget_live_tasks_outside(self, seq: int) -> None:
        """A task that is live here but not in the snapshot has ended long ago: GET must ask the broker."""
        for task_id, entry in list(self._entries.items()):
            if entry.seq <= seq and not entry.task.ended and task_id not in self._snapshot_ids:
                del self._entries[task_id]

    def _start_anew(self) -> None:
        self._entries.clear()
        self._ended.clear()
        self.seq, self._ticks_behind, self._missed_up_to, self.synced = 0, 0, 0, False

    def _evict(self) -> None:
        while len(self._entries) > self._capacity and self._ended:
            task_id, _ = self._ended.popitem(last=False)
            self._entries.pop(task_id, None)
