"""`python server.py workers [drain | undrain] | queue`: who trains, and what waits."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from service.screen import TEXT_SCREEN, Screen
from service.server_options import OWN_SERVER, ServerOptions, connected
from service.task_ids import SHORT_ID_CHARS
from service.task_words import local_time
from tfmodel_client.types import Worker

#: A clock that is off by more than this is mentioned.
MOST_SKEW_S = 5.0

WorkerName = Annotated[str, Parameter(help="the name of the worker, as 'workers' lists it")]


def workers(*, screen: Screen = TEXT_SCREEN, server: ServerOptions = OWN_SERVER) -> None:
    """List the workers, and what each of them trains."""
    with connected(server) as client:
        found = client.workers()
    screen.document(found)
    if not found.workers:
        screen.say("No worker is registered; 'python server.py status' shows why.")
        return
    screen.table(
        ("name", "host", "state", "task", "devices", "labels", "memory", "tasks done", "last heard"),
        [
            (
                worker.name,
                worker.host,
                worker.state,
                worker.task_id[:SHORT_ID_CHARS] or _help_of(worker),
                ", ".join(worker.devices),
                ", ".join(f"{name}={value}" for name, value in worker.labels.items()),
                f"{worker.memory_mb:,.0f} MB" if worker.memory_mb else "",
                str(worker.tasks_done),
                local_time(worker.last_heard_at),
            )
            for worker in found.workers
        ],
    )
    for worker in found.workers:
        if abs(worker.clock_skew_seconds) > MOST_SKEW_S:
            screen.complain(
                f"The clock of {worker.name} differs from the broker's by {worker.clock_skew_seconds:,.0f} s."
            )


def _help_of(worker: Worker) -> str:
    return f"helps {worker.helping[:SHORT_ID_CHARS]}" if worker.helping else ""


def drain(name: WorkerName, /, *, screen: Screen = TEXT_SCREEN, server: ServerOptions = OWN_SERVER) -> None:
    """Let a worker end its task, and give it no other.

    A worker that is restarted takes tasks again.
    """
    with connected(server) as client:
        worker = client.drain(name)
    screen.document(worker)
    rest = f"It still trains {worker.task_id}." if worker.task_id else "It has no task, so it can be stopped now."
    screen.say(f"The worker {name} gets no more tasks. {rest}")


def undrain(name: WorkerName, /, *, screen: Screen = TEXT_SCREEN, server: ServerOptions = OWN_SERVER) -> None:
    """Give tasks to a drained worker again."""
    with connected(server) as client:
        worker = client.undrain(name)
    screen.document(worker)
    screen.say(f"The worker {name} gets tasks again.")


def queue(*, screen: Screen = TEXT_SCREEN, server: ServerOptions = OWN_SERVER) -> None:
    """List the tasks that wait.

    They are listed in the order in which they will start, as far as is known now.
    """
    with connected(server) as client:
        found = client.queue()
    screen.document(found)
    if not found.queue:
        screen.say("No task waits.")
        return
    screen.table(
        ("place", "task", "type", "user", "project", "starts about", "ends about"),
        [
            (
                str(waiting.position),
                waiting.task_id[:SHORT_ID_CHARS],
                waiting.train_type,
                waiting.user_id,
                waiting.project_id,
                local_time(waiting.estimated_start_at),
                local_time(waiting.estimated_end_at),
            )
            for waiting in found.queue
        ],
    )
    if found.next:
        screen.say(f"{found.waiting} tasks wait; these are the first {len(found.queue)}.")
