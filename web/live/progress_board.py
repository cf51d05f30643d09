"""The newest progress of each task that is being trained, as events. Pure.

A progress replaces the one before it, and the events of one task are at least INTERVAL_S apart. So a reader gets each
task's newest progress only, however slow the reader and however talkative the worker. Each event has a version. A
reader remembers the version that it has seen, and nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

import msgspec

from protocol.events import Event, iso
from protocol.messages import Progress
from protocol.task import Task
from web.live.encoded_event import EncodedEvent, encoded

#: The shortest time between two progress events of one task. With this, thousands of readers cost a fraction of a core.
INTERVAL_S = 0.5


class _Latest(msgspec.Struct):
    """seq: the number of the fact that `task` reflects. shown_at_s: when the last event of the task was made."""

    task: Task
    progress: Progress
    seq: int
    shown_at_s: float = -1e9


class ProgressBoard:
    def __init__(self) -> None:
        self.version = 0
        self._latest: dict[str, _Latest] = {}
        self._waiting: set[str] = set()
        self._shown: OrderedDict[str, tuple[int, EncodedEvent]] = OrderedDict()

    @property
    def waiting(self) -> bool:
        """Whether a progress waits until it may be shown. `show` must be called again then."""
        return bool(self._waiting)

    def has(self, task_id: str) -> bool:
        return task_id in self._latest

    def put(self, task: Task, progress: Progress, seq: int) -> None:
        """Take a progress that belongs to the attempt that is being trained. seq: the fact that `task` reflects."""
        known = self._latest.get(task.task_id)
        shown_at_s = known.shown_at_s if known is not None else -1e9
        self._latest[task.task_id] = _Latest(task, progress, seq, shown_at_s)
        self._waiting.add(task.task_id)

    def drop(self, task_id: str, attempt: int) -> None:
        """The attempt has ended. Forget its progress."""
        latest = self._latest.get(task_id)
        if latest is not None and latest.progress.attempt <= attempt:
            del self._latest[task_id]
            self._waiting.discard(task_id)
            self._shown.pop(task_id, None)

    def clear(self) -> None:
        """Forget everything but the version, which readers hold."""
        self._latest.clear()
        self._waiting.clear()
        self._shown.clear()

    def show(self, up_to: int, now_s: float, at_s: float) -> list[EncodedEvent]:
        """Make events of what may be shown now, and return them.

        up_to: the number up to which readers have events. A progress of a later attempt waits for the events between.
        now_s: on a clock that never jumps. at_s: the time now for the events, in seconds since the epoch.
        """
        new = []
        for task_id in list(self._waiting):
            latest = self._latest[task_id]
            if latest.seq <= up_to and now_s - latest.shown_at_s >= INTERVAL_S:
                self._waiting.remove(task_id)
                latest.shown_at_s = now_s
                event = encoded(progress_event(latest.task, latest.progress, up_to, at_s))
                self.version += 1
                self._shown.pop(task_id, None)
                self._shown[task_id] = (self.version, event)
                new.append(event)
        return new

    def newer_than(self, version: int, task_id: str = "") -> Iterator[tuple[int, EncodedEvent]]:
        """Events with a higher version, oldest first, with their versions. task_id: of this task alone, unless ""."""
        if task_id:
            shown = self._shown.get(task_id)
            return iter([shown] if shown is not None and shown[0] > version else [])
        newer = []
        for shown in reversed(self._shown.values()):
            if shown[0] <= version:
                break
            newer.append(shown)
        return reversed(newer)


def progress_event(task: Task, progress: Progress, number: int, at_s: float) -> Event:
    """number: of the newest fact before it. at_s: its time, in seconds since the epoch."""
    spec = task.spec
    return Event(
        id=number,
        type="task.progress",
        at=iso(at_s),
        task_id=spec.task_id,
        user_id=spec.user_id,
        project_id=spec.project_id,
        train_type=spec.train_type,
        state=task.state.value,
        progress=progress.progress,
        attempt=progress.attempt,
        thread=task.thread,
        metadata=spec.metadata,
        phase=progress.phase,
        epoch=progress.epoch,
        epochs_max=progress.epochs_max,
        metrics=progress.metrics,
        eta_seconds=progress.eta_s if progress.eta_s >= 0 else None,
        eta_range_seconds=(progress.eta_low_s, progress.eta_high_s) if progress.eta_high_s >= 0 else None,
    )
