"""`python server.py show | logs | stop-task | cancel | retry | promote`: one task."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from service.exit_codes import ExitCode
from service.follow import EXIT_CODES, Follower
from service.screen import TEXT_SCREEN, Screen
from service.server_options import OWN_SERVER, ServerOptions, connected
from service.task_ids import find_task_id
from service.task_result import show_result
from service.task_words import local_time, metric_words
from tfmodel_client.types import Task

TaskId = Annotated[str, Parameter(help="the id of the task, or its beginning")]


def show(
    task_id: TaskId,
    /,
    *,
    follow: bool = False,
    screen: Screen = TEXT_SCREEN,
    server: ServerOptions = OWN_SERVER,
) -> int:
    """Show a task.

    Parameters
    ----------
    follow
        show what happens until the task has ended. The exit code then says how it ended
    """
    with connected(server) as client:
        task = client.task(find_task_id(client, task_id))
        if follow:
            return Follower(client, screen, may_ask=False).run(task)
        if screen.json:
            screen.document(task)
        else:
            screen.facts(_facts(task))
            if task.state in EXIT_CODES:
                show_result(client, task, screen)
        return ExitCode.OK


def logs(
    task_id: TaskId,
    /,
    *,
    follow: bool = False,
    screen: Screen = TEXT_SCREEN,
    server: ServerOptions = OWN_SERVER,
) -> None:
    """Print the log of a task.

    Parameters
    ----------
    follow
        wait for more lines until the task has ended
    """
    with connected(server) as client:
        for line in client.log(find_task_id(client, task_id), follow=follow):
            screen.say(line)
            screen.line({"line": line})


def stop_task(task_id: TaskId, /, *, screen: Screen = TEXT_SCREEN, server: ServerOptions = OWN_SERVER) -> None:
    """End a training early, and keep its best model."""
    with connected(server) as client:
        task = client.stop(find_task_id(client, task_id))
        screen.document(task)
        screen.say(f"The task {task.task_id} ends as soon as its best model is exported.")


def cancel(task_id: TaskId, /, *, screen: Screen = TEXT_SCREEN, server: ServerOptions = OWN_SERVER) -> None:
    """Cancel a task, and drop what it has made."""
    with connected(server) as client:
        task = client.cancel(find_task_id(client, task_id))
        screen.document(task)
        ended = task.state == "cancelled"
        screen.say(f"The task {task.task_id} is {'cancelled' if ended else 'being cancelled'}.")


def retry(
    task_id: TaskId,
    /,
    *,
    follow: bool = False,
    screen: Screen = TEXT_SCREEN,
    server: ServerOptions = OWN_SERVER,
) -> int:
    """Post an ended task again, as a new task.

    Parameters
    ----------
    follow
        show what happens until the new task has ended. The exit code then says how it ended
    """
    with connected(server) as client:
        task = client.retry(find_task_id(client, task_id))
        screen.say(f"The new task is {task.task_id}.")
        if follow:
            screen.line({"type": "posted", "task": task})
            return Follower(client, screen, may_ask=True).run(task)
        screen.document(task)
        return ExitCode.OK


def promote(task_id: TaskId, /, *, screen: Screen = TEXT_SCREEN, server: ServerOptions = OWN_SERVER) -> None:
    """Make the model of a task the one in use."""
    with connected(server) as client:
        task = client.promote(find_task_id(client, task_id))
        screen.document(task)
        screen.say(f"models/latest names the model of task {task.task_id}.")


def _facts(task: Task) -> list[tuple[str, str]]:
    facts = [
        ("task", task.task_id),
        ("state", f"{task.state}, {task.progress:.1f} %" + (f", {task.phase}" if task.phase else "")),
        ("type", task.train_type),
        ("user", task.user_id),
        ("project", task.project_id),
        ("folder", task.project_dir),
        ("worker", task.thread),
        ("attempt", str(task.attempt) if task.attempt else ""),
        ("posted", local_time(task.submitted_at)),
        ("started", local_time(task.started_at)),
        ("ended", local_time(task.ended_at)),
        ("options", "  ".join(f"{name}={value}" for name, value in task.options.items())),
        ("metadata", "  ".join(f"{name}={value}" for name, value in task.metadata.items())),
        ("figures", metric_words(task.metrics)),
        ("repeats", task.retry_of),
        ("repeated by", " ".join(task.retried_by or ())),
    ]
    facts += [(f"attempt {end.attempt}", f"{end.error} ({end.code})") for end in task.ended_attempts]
    return [(name, value) for name, value in facts if value]
