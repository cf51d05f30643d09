"""Which waiting task was submitted first? Pure, and without a look at all tasks."""

from __future__ import annotations

import heapq


class WaitingTasks:
    """A heap of the waiting tasks. Tasks that have started stay in the heap until they reach its top.

    A task that waits for a long time would keep all later ones in the heap, so the heap is built anew when fewer than
    half of its items still wait.
    """

    def __init__(self) -> None:
        self._submitted_at_s: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def add(self, task_id: str, submitted_at_s: float) -> None:
        self._submitted_at_s[task_id] = submitted_at_s
        heapq.heappush(self._heap, (submitted_at_s, task_id))

    def remove(self, task_id: str) -> None:
        """Forget the task. Nothing happens if it is not waiting."""
        if self._submitted_at_s.pop(task_id, None) is not None and len(self._heap) > 2 * len(self._submitted_at_s):
            self._heap = [(at_s, waiting) for waiting, at_s in self._submitted_at_s.items()]
            heapq.heapify(self._heap)

    def first_submitted_at_s(self) -> float | None:
        """When the task was submitted that waits longest, in seconds since the epoch. None if no task waits."""
        while self._heap and self._submitted_at_s.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
