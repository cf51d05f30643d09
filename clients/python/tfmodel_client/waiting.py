"""Waits for the end of a task."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from tfmodel_client.calls import task
from tfmodel_client.display import display_of
from tfmodel_client.errors import BusyError, UnavailableError, UnreachableError, WaitTimeoutError
from tfmodel_client.event_source import RESET, EventSource
from tfmodel_client.events import LAST_EVENTS
from tfmodel_client.paths import path_of
from tfmodel_client.steps import Pause, Plan
from tfmodel_client.types import Event, Task

#: When no more than this is left of the time-out, the server is asked for answers in time. A stream of events can't be
#: left in time: it may be silent for EventSource's SILENCE_S. It is also the longest wait that the server allows.
LAST_STRETCH_S = 60.0
ENDED_STATES = frozenset({"done", "failed", "cancelled"})
#: The pause after the server could not be asked.
PAUSE_S = 1.0


def wait(task_id: str, on_event: Callable[[Event], object] | None = None, timeout_s: float | None = None) -> Plan[Task]:
    """The task when it has ended: `done`, `failed` or `cancelled`. What happens until then is shown on standard error.

    The events are shown as a bar on a terminal where rich is installed, else as lines. on_event: a function that gets
    each event in place of that. Lost connections and restarts of the server are waited out.
    timeout_s: the longest time to wait. After it, WaitTimeoutError is raised and the task goes on.
    """
    give_up_at_s = None if timeout_s is None else time.monotonic() + timeout_s
    found = yield from task(task_id)
    source = EventSource(path_of("v1", "tasks", task_id, "events"), (), found.seq)
    display = display_of(on_event)
    try:
        while found.state not in ENDED_STATES:
            left_s = math.inf if give_up_at_s is None else give_up_at_s - time.monotonic()
            if left_s <= 0:
                raise WaitTimeoutError(
                    f"Task {task_id} has not ended within {timeout_s:g} s; it is {found.state} and goes on. Call wait "
                    "again, or cancel it."
                )
            try:
                events = yield from (source.read() if left_s > LAST_STRETCH_S else source.ask(left_s))
                for event in events:
                    if event.type != RESET:
                        display.show(event)
                if source.is_over or any(event.type in LAST_EVENTS or event.type == RESET for event in events):
                    found = yield from task(task_id)
            except (UnreachableError, UnavailableError, BusyError):
                yield Pause(min(PAUSE_S, left_s))
        return found
    finally:
        display.close()
