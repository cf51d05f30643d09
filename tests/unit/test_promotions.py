"""A person makes an earlier model the one in use: what the broker records, and what it finds again in its journal."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from broker.events import EndedFound, ReadEnded
from broker.facts import ModelPromoted, Record, Submitted
from broker.task_lists import TaskLists
from protocol import messages as m
from protocol.comparison import Comparison
from protocol.queries import InUseWanted
from protocol.task import Task, TaskState, Trained
from tests.broker_driver import TRAINED, Broker, with_running_task
from tests.journals import JOURNALS, new_store
from tests.sample_tasks import hex_id, make_spec

WORSE = Comparison("t0", 20, 0, 9, 0.01, 0.5, 0.9, False, "It is worse, so models/latest was not moved to it.")


def with_done_task(trained: Trained = TRAINED) -> Broker:
    broker = with_running_task()
    broker.worker(m.Result("t1", 1, trained=trained))
    return broker


def promotions(broker: Broker) -> int:
    return sum(isinstance(record.fact, ModelPromoted) for record in broker.records)


def test_a_promotion_is_recorded_and_published() -> None:
    broker = with_done_task(replace(TRAINED, comparison=WORSE))
    before = broker.lookup()
    assert (before.in_use_since_s, list(before.warnings)) == (0.0, [WORSE.sentence])
    broker.now_s += 60

    reply = broker.web(m.Promote(5, "t1", 0.0))

    assert isinstance(reply, m.TaskReply)
    assert (reply.task.state, reply.task.promoted_at_s, reply.task.in_use_since_s) == ("done", 1e9 + 160, 1e9 + 160)
    assert list(reply.task.warnings) == [], "it is in use now"
    event = broker.published[-1].event
    assert (event.type, event.state, event.progress, event.model_path) == (
        *("model.promoted", "done", 100.0),
        TRAINED.model_path,
    )
    assert broker.lookup() == reply.task


def test_a_repeated_message_records_nothing_and_another_promotion_does() -> None:
    broker = with_done_task()
    first = broker.web(m.Promote(5, "t1", 0.0))
    assert broker.web(m.Promote(5, "t1", 0.0)) == first
    assert promotions(broker) == 1
    broker.now_s += 1
    again = broker.web(m.Promote(6, "t1", first.task.promoted_at_s))
    assert promotions(broker) == 2
    assert again.task.promoted_at_s == first.task.promoted_at_s + 1


def test_a_task_without_a_finished_model_is_refused() -> None:
    broker = with_running_task()
    running = broker.web(m.Promote(5, "t1", 0.0))
    assert isinstance(running, m.Refused)
    assert (running.code, running.task and running.task.state) == ("no_model", "processing")
    broker.web(m.Cancel(6, "t1"))
    broker.worker(m.Result("t1", 1, cancelled=True))
    cancelled = broker.web(m.Promote(7, "t1", 0.0))
    assert isinstance(cancelled, m.Refused)
    assert cancelled.code == "no_model"
    assert promotions(broker) == 0


def test_a_task_that_is_no_longer_in_memory_is_read_from_the_journal_first() -> None:
    broker = Broker(recent_tasks=1)
    old = Task(make_spec(hex_id("old")), TaskState.DONE, progress=100.0, trained=TRAINED, ended_at_s=5.0)
    request = m.Promote(5, old.task_id, 0.0)
    assert broker.web(request) is None
    assert broker.effects == [ReadEnded(b"web", request)]

    unknown = broker.handle(EndedFound(b"web", request, None))
    assert [getattr(message, "code", "") for message in unknown] == ["unknown_task"]
    reply, *_ = broker.handle(EndedFound(b"web", request, old))
    assert isinstance(reply, m.TaskReply)
    assert reply.task == replace(old, promoted_at_s=1e9 + 100)
    # The same request came twice, and both were read from the journal before the first one was recorded.
    assert broker.handle(EndedFound(b"web", request, old)) == [reply]
    assert promotions(broker) == 1


def test_a_broker_without_room_for_ended_tasks_promotes_as_well() -> None:
    broker = Broker(recent_tasks=0)
    old = Task(make_spec(hex_id("old")), TaskState.DONE, trained=TRAINED, ended_at_s=5.0)
    reply, *_ = broker.handle(EndedFound(b"web", m.Promote(5, old.task_id, 0.0), old))
    assert isinstance(reply, m.TaskReply)
    assert reply.task.promoted_at_s > 0


def done(name: str, ended_at_s: float, promoted_at_s: float = 0.0, **more: Any) -> Task:
    comparison: Comparison | None = more.pop("comparison", None)
    trained = replace(TRAINED, comparison=comparison)
    spec = make_spec(hex_id(name), **more)
    return Task(spec, TaskState.DONE, trained=trained, ended_at_s=ended_at_s, promoted_at_s=promoted_at_s)


@pytest.mark.parametrize("kind", JOURNALS)
def test_the_journal_finds_the_models_that_a_project_has_used(tmp_path: Path, kind: str) -> None:
    tasks = [
        done("first", 10.0),
        done("second", 20.0),
        done("chosen", 5.0, promoted_at_s=30.0),
        done("worse", 40.0, comparison=WORSE),
        done("of another project", 50.0, project_id="cats"),
        done("of another user", 50.0, user_id="ben"),
        replace(done("failed", 60.0), state=TaskState.FAILED, trained=None),
    ]
    store = new_store(kind, tmp_path)
    with store.open() as journal:
        journal.append([Record(1, 1.0, tasks[0].task_id, Submitted(tasks[0].spec))], tasks)
        with closing(store.open_view()) as view:
            page = TaskLists(view).in_use(InUseWanted(7, "anna", "flowers", 10))
            newest = TaskLists(view).in_use(InUseWanted(8, "anna", "flowers"))
    assert [task.task_id for task in page.tasks] == [hex_id(name) for name in ("chosen", "second", "first")]
    assert [task.task_id for task in newest.tasks] == [hex_id("chosen")]
    assert (page.request_id, page.next, page.seq) == (7, "", 1)
