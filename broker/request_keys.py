"""Idempotency keys: for a day, the same key of the same user means the same task. Pure."""

from __future__ import annotations

from collections import OrderedDict

from protocol.task import TaskSpec

REQUEST_KEY_TTL_S = 86_400.0


class RequestKeys:
    """Which request each key was used for. Times are wall-clock seconds, because keys outlive restarts."""

    def __init__(self) -> None:
        self._requests: OrderedDict[tuple[str, str], tuple[TaskSpec, float]] = OrderedDict()

    def remember(self, spec: TaskSpec, at_s: float) -> None:
        """Remember the key of a task that was submitted at `at_s`. A task without a key is ignored."""
        if spec.request_key:
            key = (spec.user_id, spec.request_key)
            self._requests[key] = (spec, at_s)
            self._requests.move_to_end(key)

    def find(self, spec: TaskSpec, now_s: float) -> TaskSpec | None:
        """Return the earlier request with the key of `spec`. None if the key is new or has expired."""
        known, at_s = self._requests.get((spec.user_id, spec.request_key), (None, 0.0))
        return known if now_s - at_s <= REQUEST_KEY_TTL_S else None

    def forget_old(self, now_s: float) -> None:
        while self._requests:
            key, (_, at_s) = next(iter(self._requests.items()))
            if now_s - at_s <= REQUEST_KEY_TTL_S:
                return
            del self._requests[key]
