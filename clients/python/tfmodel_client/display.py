"""Shows on a terminal how far a task is: a bar where rich is installed, else plain lines."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any, Protocol, TextIO

from tfmodel_client.types import Event


class Display(Protocol):
    """What `wait` shows events with."""

    def show(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Silent:
    """Shows nothing, and passes each event to a function of the caller's."""

    def __init__(self, on_event: Callable[[Event], object]) -> None:
        self._on_event = on_event

    def show(self, event: Event) -> None:
        self._on_event(event)

    def close(self) -> None:
        """There is nothing to close."""


class Lines:
    """One line for each fact, for each phase and for every tenth of the way: short enough for a log file."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._shown: tuple[object, ...] = ()

    def show(self, event: Event) -> None:
        mark = (event.type, event.attempt, event.phase, event.progress // 10, event.artifact, event.model_path)
        if mark == self._shown:
            return
        self._shown = mark
        self._out.write(f"{event.at[11:19]} {event.progress:5.1f} % {summary(event)}\n")
        self._out.flush()

    def close(self) -> None:
        """Every line has been written."""


class Bar:
    """A bar of rich's, which stays where it was when the task ends."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            BarColumn(),
            TextColumn("{task.percentage:5.1f} %"),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=Console(file=out),
        )
        self._bar = self._progress.add_task("", total=100.0)
        self._progress.start()

    def show(self, event: Event) -> None:
        self._progress.update(self._bar, completed=event.progress, description=summary(event))

    def close(self) -> None:
        self._progress.stop()


def display_of(on_event: Callable[[Event], Any] | None) -> Display:
    """What `wait` shows events with. on_event: a function of the caller's, which takes the place of all output."""
    if on_event is not None:
        return Silent(on_event)
    if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
        return Bar(sys.stderr)
    return Lines(sys.stderr)


def summary(event: Event) -> str:
    """What has happened, in a few words."""
    words = [event.state if event.type == "task.progress" else event.type]
    if event.phase:
        words.append(event.phase)
    if event.epochs_max:  # Other phases than trainings have none.
        words.append(f"epoch {event.epoch} of {event.epochs_max}")
    words += [f"{name} {value:.3g}" for name, value in list(event.metrics.items())[:3]]
    if event.artifact is not None:
        words.append(event.artifact.name)
    if event.eta_seconds is not None:
        words.append(f"{event.eta_seconds:.0f} s left")
    if event.error:
        words.append(event.error)
    return " · ".join(words)
