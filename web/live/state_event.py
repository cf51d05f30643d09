"""The state as it is, for readers who have missed events that are no longer kept. Pure."""

from __future__ import annotations

from typing import cast

import msgspec

from web.api.live import Reset
from web.api.original import BriefTask
from web.broker_link.task_cache import Entry, TaskCache
from web.live.interest import Interest

#: What the tasks of one state event may take. Those beyond are left out, which the event says.
MOST_TASKS = 500
MOST_BYTES = 256 * 1024


class StateEvents:
    """Makes the event once for all readers who are interested in the same and missed the same."""

    def __init__(self, cache: TaskCache) -> None:
        self._cache = cache
        self._as_of = (0, 0)
        self._made: dict[Interest, bytes] = {}

    def sse(self, interest: Interest, as_of: tuple[int, int]) -> bytes:
        """as_of: the generation of the log, and the number of the newest fact in it."""
        if as_of != self._as_of:
            self._as_of = as_of
            self._made.clear()
        made = self._made.get(interest)
        if made is None:
            made = self._made[interest] = _sse(as_of[1], self._tasks(interest))
        return made

    def _tasks(self, interest: Interest) -> tuple[list[msgspec.Raw], bool]:
        """The tasks in question as GET / shows them, and whether some were left out."""
        found: list[msgspec.Raw] = []
        size = 0
        for entry in self._entries(interest):
            task = entry.brief_json()
            size += len(task)
            if len(found) == MOST_TASKS or size > MOST_BYTES:
                return found, True
            found.append(msgspec.Raw(task))
        return found, False

    def _entries(self, interest: Interest) -> list[Entry]:
        if interest.task_id:
            entry = self._cache.get(interest.task_id)
            return [entry] if entry is not None else []
        return [
            entry
            for entry in self._cache.entries()
            if not entry.task.ended
            and (not interest.user_id or interest.user_id == entry.task.spec.user_id)
            and (not interest.project_id or interest.project_id == entry.task.spec.project_id)
        ]


def _sse(number: int, tasks: tuple[list[msgspec.Raw], bool]) -> bytes:
    listed, truncated = tasks
    # The tasks are JSON already.
    data = msgspec.json.encode(Reset(number, cast("tuple[BriefTask, ...]", tuple(listed)), truncated))
    return b"id: %d\nevent: reset\ndata: %b\n\n" % (number, data)
