"""Workers that say goodbye: nothing that they never began counts against a task."""

from __future__ import annotations

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import FromWeb, FromWorker, Now, Recovered
from protocol import messages as m
from protocol.task import TaskSpec, TaskState

HELLO = m.Hello("w", "s1", "host", ("classification",), ready=True)


def at(monotonic_s: float) -> Now:
    return Now(monotonic_s, 1_000_000.0 + monotonic_s)


def core_with_leased_task() -> Core:
    core = Core(CoreSettings(data_roots=("/",)))
    core.recover(Recovered(), at(0.0))
    core.handle(FromWorker(b"worker", HELLO), at(0.0))
    core.handle(FromWeb(b"web", m.Submit(1, TaskSpec("t", "u", "p", "d", "/d", "classification"))), at(0.0))
    assert core.tasks["t"].state is TaskState.PROCESSING
    return core


def test_a_start_that_crossed_a_goodbye_uses_up_no_attempt() -> None:
    core = core_with_leased_task()
    for number in range(5):
        core.handle(FromWorker(b"worker", m.Goodbye()), at(1.0))
        assert len(core.workers) == 0
        assert "t" in core.waiting
        hello = m.Hello("w", f"next{number}", "host", ("classification",), ready=True)
        core.handle(FromWorker(b"worker", hello), at(1.0))
        assert core.tasks["t"].state is TaskState.PROCESSING
    assert not any(end.counted for end in core.tasks["t"].ended_attempts)
    assert core.tasks["t"].attempt == 6


def test_a_cancelled_task_of_a_worker_that_leaves_is_cancelled() -> None:
    core = core_with_leased_task()
    core.handle(FromWeb(b"web", m.Cancel(2, "t")), at(1.0))
    core.handle(FromWorker(b"worker", m.Goodbye()), at(1.0))
    assert core.recent["t"].state is TaskState.CANCELLED
