"""What the broker remembers of published progress: it becomes part of a fact when a task ends badly."""

from __future__ import annotations

import math

from broker.core import Core, CoreSettings
from broker.events import FromWeb, FromWorker, Now
from protocol import messages as m
from protocol.task import TaskSpec

NOW = Now(0.0, 1_000_000.0)


def test_only_percents_that_rise_are_remembered() -> None:
    core = Core(CoreSettings())
    core.handle(FromWorker(b"worker", m.Hello("w", "s1", "host", ("classification",), ready=True)), NOW)
    core.handle(FromWeb(b"web", m.Submit(1, TaskSpec("t", "u", "p", "d", "/d", "classification"))), NOW)
    core.note_progress(m.Progress("t", 1, math.nan))
    assert "t" not in core.progress
    core.note_progress(m.Progress("t", 1, 12.5))
    for odd in (math.nan, math.inf, -1.0, 3.0):
        core.note_progress(m.Progress("t", 1, odd))
    assert core.progress["t"].progress == 12.5
    core.note_progress(m.Progress("t", 1, 13.0))
    assert core.progress["t"].progress == 13.0
