"""Follow a task to its end: with a live bar on a terminal, or with a line every few seconds elsewhere."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from demo.website import Website

POLL_INTERVAL_S = 0.25
LINE_INTERVAL_S = 5.0
#: How long calls may fail: front-end and broker may be restarted while a task trains.
SILENCE_LIMIT_S = 60.0
ENDED = ("done", "failed", "cancelled")


class LostTaskError(Exception):
    """The service no longer answers for the task; the message says why."""


class Display(AbstractContextManager["Display"], Protocol):
    def show(self, percent: float, phase: str, left: str) -> None: ...


class Bar:
    """For terminals."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description:<20}"),
            BarColumn(bar_width=36),
            TaskProgressColumn("{task.percentage:>5.1f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", style="dim"),
        )
        self._progress = Progress(*columns, console=console)
        self._row = self._progress.add_task("waiting", total=100.0, left="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, percent: float, phase: str, left: str) -> None:
        self._progress.update(self._row, completed=percent, description=phase, left=left)


class Lines:
    """For pipes and files, where a bar would leave thousands of control characters."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._phase = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def show(self, percent: float, phase: str, left: str) -> None:
        stage = phase.partition(",")[0]
        now_s = time.monotonic()
        if stage != self._phase or now_s >= self._next_s:
            self._next_s, self._phase = now_s + LINE_INTERVAL_S, stage
            print(f"{percent:5.1f} %  {phase:<20} {left}".rstrip(), flush=True)


def follow(website: Website, task_id: str, console: Console) -> dict[str, Any]:
    """Show the task's progress until it has ended. Returns the ended task, or raises LostTaskError."""
    heard_at_s = time.monotonic()
    with Bar(console) if console.is_terminal else Lines() as display:
        while True:
            status, task = website.task(task_id)
            if status == 200:
                heard_at_s = time.monotonic()
                display.show(task["progress"], _phase(task), _left(task))
                if task["state"] in ENDED:
                    return task
            elif status == 404 or time.monotonic() - heard_at_s > SILENCE_LIMIT_S:
                raise LostTaskError(f"The task {task_id} can no longer be followed: {task.get('error')}")
            time.sleep(POLL_INTERVAL_S)


def _phase(task: dict[str, Any]) -> str:
    if task["state"] == "pending":
        return "waiting for a worker"
    if task["state"] in ENDED:
        return str(task["state"])
    phase = task["phase"] or "starting"
    return f"{phase}, epoch {task['epoch']}" if phase == "train" and task["epoch"] else str(phase)


def _left(task: dict[str, Any]) -> str:
    """The remaining time in words, rounded because it is uncertain."""
    eta_s = task["etaSeconds"]
    if eta_s is None or task["state"] != "processing":
        return ""
    if eta_s < 10:
        return "a few seconds left"
    return f"about {5 * round(eta_s / 5)} s left" if eta_s < 90 else f"about {round(eta_s / 60)} min left"
