"""The broker's decisions, one promise a test: no socket, no clock, no disk."""

from __future__ import annotations

import pytest

from broker import answers
from broker.answers import SNAPSHOT_PART_TASKS
from broker.events import FromWeb, ReadEnded, SendWorker
from protocol import messages as m
from protocol.task import TaskState
from tests.broker_driver import TRAINED, TTL_S, Broker, failed, with_running_task
from tests.processor_time import least_processor_s

# ---- the main road ----


def test_submitted_leased_done() -> None:
    broker = Broker()
    assert [type(message) for message in broker.hello()] == [m.Welcome, m.Pulse]
    reply = broker.submit()
    assert (reply.task.state, reply.task.thread, reply.task.attempt) == (TaskState.PROCESSING, "w1", 1)
    assert any(isinstance(e, SendWorker) and isinstance(e.message, m.Start) for e in broker.effects)
    assert broker.worker(m.Result("t1", 1, trained=TRAINED)) == [m.ResultAck("t1", 1)]
    task = broker.lookup()
    assert (task.state, task.progress, task.trained) == (TaskState.DONE, 100.0, TRAINED)
    assert [type(record.fact).__name__ for record in broker.records] == ["Submitted", "Leased", "Done"]


def test_a_task_waits_for_the_first_ready_worker() -> None:
    broker = Broker()
    assert broker.submit().task.state is TaskState.PENDING
    broker.hello(ready=False)
    assert broker.lookup().state is TaskState.PENDING
    submitted_at_s = 1e9 + broker.now_s
    broker.now_s += 30
    sent = broker.worker(m.Heartbeat(ready=True, holds=None))
    assert broker.start_of(1) in sent
    assert broker.lookup().queued_at_s == submitted_at_s


def test_a_worker_gets_one_task_at_a_time() -> None:
    broker = with_running_task()
    assert broker.submit("t2").task.state is TaskState.PENDING
    broker.worker(m.Result("t1", 1, trained=TRAINED))
    assert broker.lookup("t2").state is TaskState.PENDING
    broker.worker(m.Heartbeat(ready=True, holds=None))
    assert broker.lookup("t2").thread == "w1"


def test_the_same_task_posted_twice_is_one_task() -> None:
    broker = Broker()
    first, again = broker.submit(), broker.submit()
    assert first.task == again.task
    assert len(broker.records) == 1


def test_every_fact_is_published_with_its_number() -> None:
    broker = with_running_task()
    assert [change.seq for change in broker.published] == [record.seq for record in broker.records] == [1, 2]


def test_a_full_queue_refuses_and_says_which_setting() -> None:
    broker = Broker(max_pending=1)
    broker.submit("t1")
    refused = broker.submit("t2")
    assert (refused.code, "max_pending" in refused.error) == ("queue_full", True)
    assert broker.submit("t1").task.task_id == "t1", "what was taken before is still answered"


def test_an_unknown_task_is_looked_up_in_the_journal_and_then_refused() -> None:
    broker = Broker()
    assert broker.web(m.Lookup(4, "nope")) is None
    assert broker.effects == [ReadEnded(b"web", m.Lookup(4, "nope"))]
    answer = answers.about_ended(m.Lookup(4, "nope"), None, 0)
    assert (answer.request_id, isinstance(answer, m.Refused) and answer.code) == (4, "unknown_task")


# ---- the rules that heal every lost message ----


def test_rule_1_a_result_is_acknowledged_whatever_attempt_it_names() -> None:
    broker = with_running_task()
    for result in (m.Result("t1", 7, trained=TRAINED), m.Result("never", 1, trained=TRAINED)):
        assert broker.worker(result) == [m.ResultAck(result.task_id, result.attempt)]
    assert broker.lookup().state is TaskState.PROCESSING
    for _ in range(2):
        assert broker.worker(m.Result("t1", 1, trained=TRAINED)) == [m.ResultAck("t1", 1)]
    assert sum(type(record.fact).__name__ == "Done" for record in broker.records) == 1


def test_rule_2_a_worker_that_does_not_hold_its_lease_gets_its_start_again() -> None:
    broker = with_running_task()
    sent = broker.worker(m.Heartbeat(ready=True, holds=None))
    assert sent == [broker.start_of(1), m.Pulse()]


def test_rule_3_a_worker_that_holds_what_the_broker_does_not_know_is_stopped() -> None:
    broker = with_running_task()
    for holds in (m.Holding("t1", 2), m.Holding("other", 1)):
        sent = broker.worker(m.Heartbeat(ready=False, holds=holds))
        assert sent == [m.Pulse(m.Stop(holds.task_id, holds.attempt, unknown=True))]


def test_rule_4_a_pending_order_rides_on_every_answer() -> None:
    broker = with_running_task()
    broker.web(m.StopEarly(2, "t1"))
    for _ in range(2):
        sent = broker.worker(m.Heartbeat(ready=False, holds=m.Holding("t1", 1)))
        assert sent == [m.Pulse(m.Stop("t1", 1, keep=True))]
    broker.web(m.Cancel(3, "t1"))
    assert broker.worker(m.Heartbeat(False, m.Holding("t1", 1))) == [m.Pulse(m.Stop("t1", 1))]


def test_a_worker_that_is_unknown_is_asked_for_its_hello() -> None:
    broker = Broker()
    assert broker.worker(m.Heartbeat(ready=True, holds=None)) == [m.HelloWanted(broker.wall_s)]


# ---- cancel and stop ----


def test_cancelling_a_waiting_task_ends_it_at_once() -> None:
    broker = Broker()
    broker.submit()
    assert broker.web(m.Cancel(2, "t1")).task.state is TaskState.CANCELLED
    assert len(broker.core.waiting) == 0
    broker.hello()
    assert broker.lookup().state is TaskState.CANCELLED


def test_cancelling_a_running_task_orders_the_stop_and_ends_with_the_result() -> None:
    broker = with_running_task()
    reply = broker.web(m.Cancel(2, "t1"))
    assert (reply.task.state, reply.task.cancel_requested) == (TaskState.PROCESSING, True)
    assert SendWorker(b"w1", m.Stop("t1", 1)) in broker.effects
    broker.worker(m.Result("t1", 1, cancelled=True, progress=42.0))
    task = broker.lookup()
    assert (task.state, task.progress) == (TaskState.CANCELLED, 42.0)


def test_cancelling_twice_changes_nothing_and_answers_the_same() -> None:
    broker = with_running_task()
    first = broker.web(m.Cancel(2, "t1"))
    assert broker.web(m.Cancel(2, "t1")) == first
    broker.worker(m.Result("t1", 1, cancelled=True))
    assert broker.web(m.Cancel(2, "t1")).task.state is TaskState.CANCELLED


def test_a_model_that_was_finished_in_the_moment_of_the_cancel_is_discarded() -> None:
    broker = with_running_task()
    broker.web(m.Cancel(2, "t1"))
    assert broker.worker(m.Result("t1", 1, trained=TRAINED)) == [m.ResultAck("t1", 1, discard=True)]
    assert broker.lookup().state is TaskState.CANCELLED


def test_a_cancelled_task_whose_worker_is_lost_is_not_tried_again() -> None:
    broker = with_running_task()
    broker.web(m.Cancel(2, "t1"))
    broker.wait(TTL_S + 1)
    assert broker.lookup().state is TaskState.CANCELLED


def test_an_ended_task_cannot_be_cancelled_or_stopped() -> None:
    broker = with_running_task()
    broker.worker(m.Result("t1", 1, trained=TRAINED))
    for request in (m.Cancel(2, "t1"), m.StopEarly(2, "t1")):
        refused = broker.web(request)
        assert (refused.code, refused.task.state) == ("task_ended", TaskState.DONE)


def test_a_waiting_task_has_nothing_to_keep() -> None:
    broker = Broker()
    broker.submit()
    assert broker.web(m.StopEarly(2, "t1")).code == "task_not_started"


# ---- failures ----


@pytest.mark.parametrize(("code", "again"), [("no_images", False), ("trainer_error", True), ("out_of_memory", True)])
def test_a_failure_is_tried_again_by_its_class(code: str, again: bool) -> None:
    broker = with_running_task()
    broker.worker(failed(code))
    assert broker.lookup().state is (TaskState.PENDING if again else TaskState.FAILED)


def test_out_of_memory_comes_back_with_half_the_batch() -> None:
    broker = with_running_task()
    broker.worker(failed("out_of_memory"))
    sent = broker.worker(m.Heartbeat(ready=True, holds=None))
    assert broker.start_of(2, batch_divisor=2) in sent


def test_a_failed_task_says_why_and_how_far_it_got() -> None:
    broker = with_running_task()
    broker.worker(failed("no_images"))
    task = broker.lookup()
    assert (task.progress, task.failure.error if task.failure else "") == (30.0, "no_images.")


# ---- progress and snapshots ----


def test_progress_of_another_attempt_or_backwards_is_dropped() -> None:
    broker = with_running_task()
    for progress in (m.Progress("t1", 1, 20.0), m.Progress("t1", 1, 10.0), m.Progress("t1", 2, 50.0)):
        broker.progress(progress)
    broker.progress(m.Progress("unknown", 1, 1.0))
    assert broker.core.progress == {"t1": m.Progress("t1", 1, 20.0)}
    broker.worker(m.Result("t1", 1, trained=TRAINED))
    assert broker.core.progress == {}


def test_a_snapshot_comes_in_parts_that_hold_every_task_once() -> None:
    broker = Broker()
    count = 2 * SNAPSHOT_PART_TASKS + 1
    for index in range(count):
        broker.submit(f"t{index}")
    parts = [part for part in broker.handle(FromWeb(b"web", m.SnapshotWanted(5))) if isinstance(part, m.SnapshotPart)]
    assert [(part.first, part.last) for part in parts] == [(True, False), (False, False), (False, True)]
    assert {part.seq for part in parts} == {count}
    names = [task.task_id for part in parts for task in part.tasks]
    assert sorted(names) == sorted(f"t{index}" for index in range(count))


def test_a_snapshot_of_nothing_is_one_part_and_one_with_progress_carries_it() -> None:
    assert Broker().web(m.SnapshotWanted(1)) == m.SnapshotPart(1, 0, (), (), True, True)
    broker = with_running_task()
    broker.progress(m.Progress("t1", 1, 20.0))
    assert broker.web(m.SnapshotWanted(1)).progress == (m.Progress("t1", 1, 20.0),)


def test_only_so_many_ended_tasks_stay_in_memory() -> None:
    broker = Broker(recent_tasks=2)
    for index in range(4):
        broker.submit(f"t{index}")
        broker.web(m.Cancel(1, f"t{index}"))
    assert list(broker.core.recent) == ["t2", "t3"]


def test_replaying_the_facts_gives_the_same_tasks() -> None:
    broker = with_running_task()
    broker.submit("t2")
    broker.web(m.StopEarly(2, "t1"))
    broker.worker(failed("out_of_memory"))
    broker.web(m.Cancel(3, "t2"))
    again = Broker(broker.records)
    assert (again.core.tasks, again.core.recent, again.core.seq) == (
        broker.core.tasks,
        broker.core.recent,
        broker.core.seq,
    )


def seconds_for_100_tasks(waiting: int) -> float:
    broker = Broker()
    broker.hello()
    for index in range(waiting):
        broker.submit(f"t{index}", user_id=f"user{index % 20}")

    def hand_back_and_take() -> None:
        for _ in range(100):
            task = broker.core.tasks[next(iter(broker.core.holders))]
            broker.worker(m.Result(task.task_id, task.attempt, handed_back=True))
            broker.worker(m.Heartbeat(ready=True, holds=None))

    return least_processor_s(hand_back_and_take)


def test_the_cost_of_an_event_does_not_grow_with_the_number_of_tasks() -> None:
    # A hundred times the tasks: a scan would cost about a hundred times as much.
    assert seconds_for_100_tasks(5000) < 15 * seconds_for_100_tasks(50)
