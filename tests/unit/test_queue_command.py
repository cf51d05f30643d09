"""`python server.py queue` shows the places of waiting tasks and when they are likely to start."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from service import worker_commands
from service.command_line import main
from service.exit_codes import ExitCode
from tfmodel_client.types import Queue, QueueEntry


class Server:
    """Answers with a queue."""

    def __init__(self, *entries: QueueEntry) -> None:
        self._entries = entries

    def queue(self) -> Queue:
        return Queue(queue=self._entries, waiting=len(self._entries), next=0)


def waiting(position: int, starts_at: str | None) -> QueueEntry:
    return QueueEntry(
        position=position,
        task_id=f"01a228fa180{position}958121778d50a5cb1d",
        user_id="anna",
        project_id="flowers",
        train_type="classification",
        priority=0,
        submitted_at="2026-11-29T20:00:00.000+00:00",
        estimated_start_at=starts_at,
        estimated_end_at=None,
    )


def answer_with(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    @contextlib.contextmanager
    def connected(_: object) -> Iterator[Server]:
        yield server

    monkeypatch.setattr(worker_commands, "connected", connected)


def test_the_queue_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer_with(monkeypatch, Server(waiting(1, "2026-11-29T20:10:00.000+00:00"), waiting(2, None)))
    assert main(["queue"]) == ExitCode.OK
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["place", "task", "type"]
    assert first.split()[:5] == ["1", "01a228fa1801", "classification", "anna", "flowers"]
    assert (first.split()[5][:8], len(second.split())) == ("2026-11-", 5)
    assert main(["queue", "--json"]) == ExitCode.OK
    assert [entry["position"] for entry in json.loads(capsys.readouterr().out)["queue"]] == [1, 2]


def test_an_empty_queue_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    answer_with(monkeypatch, Server())
    assert main(["queue"]) == ExitCode.OK
    assert capsys.readouterr().out == "No task waits.\n"
