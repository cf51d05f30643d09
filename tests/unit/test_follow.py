"""What a followed task comes to when events were missed, or when what a person wants cannot be done."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import pytest

from service.exit_codes import ExitCode
from service.follow import Follower
from service.screen import Screen
from tests.socket.client_answers import event, task
from tfmodel_client import Client, TFModelError
from tfmodel_client.types import Event, Task


@dataclass(frozen=True)
class Terminal(Screen):
    """A screen in front of a person."""

    @property
    def can_ask(self) -> bool:
        return True


class Server:
    """Answers with these streams of events, one after the other; an exception among them is raised."""

    def __init__(self, *streams: list[Event | type[BaseException]], ends: str = "done") -> None:
        self._streams = list(streams)
        self._ends = ends
        self.since: list[int] = []

    def events(self, task_id: str, since: int) -> Iterator[Event]:
        self.since.append(since)
        for each in self._streams.pop(0):
            if isinstance(each, type):
                raise each
            yield each

    def task(self, task_id: str) -> Task:
        return a_task("processing" if self._streams else self._ends)

    def stop(self, task_id: str) -> Task:
        raise TFModelError("The task has not started.", status=409, code="task_not_started")

    def artifacts(self, task_id: str) -> Any:
        raise TFModelError("There are none.", status=404)


def a_task(state: str) -> Task:
    return msgspec.convert(task(state, seq=4), Task)


def an_event(number: int, kind: str, state: str = "processing") -> Event:
    return msgspec.convert(event(number, kind, state=state), Event)


def follow(server: Server, monkeypatch: pytest.MonkeyPatch, typed: str = "") -> ExitCode:
    """typed: what the person types when asked."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return Follower(cast(Client, server), Terminal(), may_ask=True).run(a_task("processing"))


def test_missed_events_may_have_held_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server([an_event(5, "task.started"), an_event(90, "reset", "")], ends="failed")
    assert follow(server, monkeypatch) == ExitCode.FAILED
    assert server.since == [4]


def test_missed_events_of_a_task_that_goes_on_are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server([an_event(90, "reset", "")], [an_event(91, "task.done", "done")])
    assert follow(server, monkeypatch) == ExitCode.OK
    assert server.since == [4, 90]


def test_a_wish_that_cannot_be_granted_is_said_and_the_task_is_shown_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server([an_event(5, "task.started"), KeyboardInterrupt], [an_event(6, "task.done", "done")])
    assert follow(server, monkeypatch, "s\n") == ExitCode.OK
    assert "The task has not started." in capsys.readouterr().err
    assert server.since == [4, 5], "it goes on behind what was shown"


def test_the_end_of_the_input_leaves_the_task_running(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(Server([KeyboardInterrupt], []), monkeypatch, "\n") == ExitCode.STILL_RUNNING
    assert "goes on" in capsys.readouterr().err
