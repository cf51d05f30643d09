"""Shows the events of a task while it trains: as a bar on a terminal, as lines elsewhere, or as JSON."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol

from protocol.text import printable
from service.screen import Screen
from service.task_words import left_words, metric_words, phase_words
from tfmodel_client.types import Event

#: Without a terminal, the same phase is said again after this long.
LINE_INTERVAL_S = 5.0
#: These events leave the phase as it is.
UNSHOWN = ("model.usable", "artifact.ready")


class ProgressDisplay(Protocol):
    """Use as a context manager."""

    def __enter__(self) -> ProgressDisplay: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def show(self, event: Event) -> None: ...


def display_for(screen: Screen, newest: Event | None) -> ProgressDisplay:
    """The display that fits the screen. newest: the last event shown before, so that a bar does not begin anew."""
    if screen.json:
        return JsonLines(screen)
    return Bar(newest) if screen.is_rich else Lines(screen)


class Bar:
    """For terminals."""

    def __init__(self, newest: Event | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.table import Column

        def narrowest(width: int) -> Column:
            """A column that keeps this width on a narrow terminal, where the last column is cut off instead."""
            return Column(min_width=width, no_wrap=True)

        self._progress = Progress(
            TextColumn("{task.description:<20}", markup=False, table_column=narrowest(20)),
            BarColumn(bar_width=30, table_column=narrowest(10)),
            TextColumn("{task.percentage:>5.1f} %", markup=False, table_column=narrowest(7)),
            TimeElapsedColumn(table_column=narrowest(7)),
            TextColumn(
                "{task.fields[left]}  {task.fields[metrics]}",
                style="dim",
                markup=False,
                table_column=Column(no_wrap=True, overflow="ellipsis"),
            ),
            console=Console(highlight=False, markup=False, emoji=False),
        )
        self._row = self._progress.add_task("waiting for a worker", total=100.0, left="", metrics="")
        if newest is not None:
            self.show(newest)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        self._progress.update(self._row, completed=event.progress)
        if event.type in UNSHOWN:
            return
        self._progress.update(
            self._row,
            description=printable(phase_words(event)),
            left=left_words(event),
            metrics=printable(metric_words(event.metrics)),
        )


class Lines:
    """For pipes and files, where a bar would leave thousands of control characters."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._next_s = 0.0
        self._said = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Every line has been written."""

    def show(self, event: Event) -> None:
        if event.type in UNSHOWN:
            return
        said, now_s = f"{event.state} {event.type} {event.phase}", time.monotonic()
        if said != self._said or now_s >= self._next_s:
            self._next_s, self._said = now_s + LINE_INTERVAL_S, said
            words = (phase_words(event), left_words(event), metric_words(event.metrics))
            self._screen.say(f"{event.progress:5.1f} %  {'  '.join(word for word in words if word)}")


class JsonLines:
    """For programs: each event as it came, one a line."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Every line has been written."""

    def show(self, event: Event) -> None:
        self._screen.line(event)
