"""Progress for readers: the newest of each task, not too often, and never before the events that come first."""

from __future__ import annotations

from typing import Any

import msgspec

from protocol.messages import Progress
from protocol.task import Task, TaskState
from tests.sample_tasks import hex_id, make_spec
from web.live.encoded_event import EncodedEvent
from web.live.progress_board import INTERVAL_S, ProgressBoard

ONE, TWO = hex_id("one"), hex_id("two")


def put(board: ProgressBoard, percent: float, task_id: str = ONE, attempt: int = 1, seq: int = 3) -> None:
    task = Task(make_spec(task_id), TaskState.PROCESSING, attempt=attempt, thread="w1")
    board.put(task, Progress(task_id, attempt, percent, "train", epoch=2), seq)


def show(board: ProgressBoard, now_s: float, up_to: int = 3) -> list[float]:
    return [fields(event)["progress"] for event in board.show(up_to, now_s, 1000.0)]


def fields(event: EncodedEvent) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(event.json)
    return decoded


def test_only_the_newest_progress_is_shown_and_not_too_often() -> None:
    board = ProgressBoard()
    put(board, 10.0)
    assert show(board, 100.0) == [10.0]
    put(board, 11.0)
    put(board, 12.0)
    assert show(board, 100.0 + INTERVAL_S / 2) == []
    assert board.waiting
    assert show(board, 100.0 + INTERVAL_S) == [12.0]
    assert not board.waiting


def test_a_reader_gets_each_tasks_newest_progress_once() -> None:
    board = ProgressBoard()
    for percent in (1.0, 2.0, 3.0):
        put(board, percent)
        put(board, percent * 10, TWO)
        show(board, percent * 100)
    newer = list(board.newer_than(0))
    assert sorted(fields(event)["progress"] for _, event in newer) == [3.0, 30.0]
    seen = newer[-1][0]
    assert list(board.newer_than(seen)) == []
    put(board, 4.0)
    show(board, 400.0)
    assert [fields(event)["progress"] for _, event in board.newer_than(seen)] == [4.0]
    assert [fields(event)["progress"] for _, event in board.newer_than(0, TWO)] == [30.0]
    assert list(board.newer_than(0, hex_id("three"))) == []


def test_a_progress_waits_for_the_events_before_it() -> None:
    board = ProgressBoard()
    put(board, 5.0, attempt=2, seq=9)
    assert show(board, 100.0, up_to=8) == []
    assert show(board, 100.0, up_to=9) == [5.0]


def test_the_progress_of_an_attempt_ends_with_it() -> None:
    board = ProgressBoard()
    put(board, 50.0)
    show(board, 100.0)
    board.drop(ONE, attempt=1)
    assert list(board.newer_than(0)) == []
    put(board, 5.0, attempt=2)
    board.drop(ONE, attempt=1)  # It was told late.
    assert show(board, 200.0) == [5.0]


def test_its_event_says_what_the_worker_said_and_has_no_number_of_its_own() -> None:
    board = ProgressBoard()
    put(board, 5.0)
    (event,) = board.show(7, 100.0, 1000.5)
    assert fields(event) == {
        **{"id": 7, "type": "task.progress", "at": "1970-01-01T00:16:40.500+00:00"},
        **{"taskId": ONE, "userId": "anna", "projectId": "flowers", "trainType": "classification"},
        **{"state": "processing", "progress": 5.0, "attempt": 1, "thread": "w1", "phase": "train", "epoch": 2},
    }
    assert not event.sse.startswith(b"id:")
    assert event.sse.startswith(b"event: task.progress\ndata: {")
