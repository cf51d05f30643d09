"""Who holds a task, for how long, and whose word counts: the broker's leases and its workers' names."""

from __future__ import annotations

from msgspec.structs import replace

from broker.events import TimePassed
from protocol import messages as m
from protocol import wire
from protocol.task import TaskState
from tests.broker_driver import TRAINED, TTL_S, Broker, with_running_task

# ---- leases ----


def test_a_silent_workers_task_goes_to_another_as_the_next_attempt() -> None:
    broker = with_running_task()
    sent = broker.wait(TTL_S + 1)
    assert sent == []
    assert (broker.lookup().state, broker.lookup().attempt, broker.lookup().thread) == (TaskState.PENDING, 2, "")
    assert 1e9 + broker.now_s - 1 <= broker.lookup().queued_at_s <= 1e9 + broker.now_s
    broker.now_s += 50
    assert broker.start_of(2) in broker.hello("w2", "s2")


def test_any_message_keeps_the_lease() -> None:
    broker = with_running_task()
    for _ in range(5):
        broker.wait(TTL_S - 2)
        broker.worker(m.Heartbeat(ready=False, holds=m.Holding("t1", 1)))
    assert (broker.lookup().state, broker.lookup().attempt) == (TaskState.PROCESSING, 1)


def test_a_task_whose_workers_all_vanish_is_given_up_with_each_end_in_words() -> None:
    broker = with_running_task()
    for attempt in (2, 3, 4):
        broker.wait(TTL_S + 1)
        broker.hello(f"w{attempt}", "s")
    task = broker.lookup()
    assert (task.state, task.failure.code if task.failure else "") == (TaskState.FAILED, "worker_lost")
    assert "Given up after 3 attempts" in (task.failure.error if task.failure else "")


def test_a_broker_that_was_suspended_gives_its_workers_their_time_anew() -> None:
    broker = with_running_task()
    broker.now_s += 100 * TTL_S
    broker.handle(TimePassed())
    assert broker.lookup().state is TaskState.PROCESSING
    broker.wait(TTL_S + 1)
    assert broker.lookup().state is TaskState.PENDING


def test_after_a_restart_a_worker_has_a_full_time_to_live_to_speak_up() -> None:
    before = with_running_task()
    broker = Broker(before.records)
    broker.wait(TTL_S - 1)
    sent = broker.hello(ready=False, holds=m.Holding("t1", 1))
    assert m.Pulse() in sent
    assert not any(isinstance(message, m.Stop | m.Start) for message in sent)
    broker.wait(TTL_S - 1)
    assert (broker.lookup().state, broker.lookup().attempt) == (TaskState.PROCESSING, 1)


def test_after_a_restart_a_worker_that_has_not_spoken_yet_can_be_listed() -> None:
    broker = Broker(with_running_task().records)
    (info,) = broker.web(m.WorkersWanted(1)).workers
    assert (info.worker, info.holds, info.host) == ("w1", "t1", "")
    answer = m.Workers(1, (replace(info, holds=""),))  # Ids of tasks are longer than in these tests.
    assert wire.decode(wire.encode(answer), m.BrokerToWeb) == answer


def test_the_next_deadline_is_the_oldest_workers() -> None:
    broker = Broker()
    assert broker.core.next_deadline() is None
    broker.hello("w1")
    broker.wait(3)
    broker.hello("w2")
    assert broker.core.next_deadline() == 100.0 + TTL_S


def test_a_late_result_of_a_lost_attempt_does_not_end_the_next() -> None:
    broker = with_running_task()
    broker.wait(TTL_S + 1)
    broker.hello("w2", "s2")
    broker.worker(m.Result("t1", 1, trained=TRAINED))
    assert (broker.lookup().state, broker.lookup().attempt) == (TaskState.PROCESSING, 2)


def test_a_worker_that_leaves_gives_its_task_back_without_using_up_an_attempt() -> None:
    broker = with_running_task(max_attempts=1)
    for attempt in range(1, 6):
        broker.worker(m.Result("t1", attempt, handed_back=True))
        broker.worker(m.Heartbeat(ready=True, holds=None))
    assert (broker.lookup().state, broker.lookup().attempt) == (TaskState.PROCESSING, 6)


def test_goodbye_unregisters_at_once() -> None:
    broker = with_running_task()
    broker.worker(m.Goodbye())
    assert (broker.core.tick().workers, broker.lookup().state) == (0, TaskState.PENDING)


# ---- names ----


def test_a_restarted_worker_supersedes_its_older_self() -> None:
    broker = with_running_task()
    sent = broker.worker(m.Hello("w1", "s2", "here", ("classification",), True), b"new")
    assert broker.start_of(2) in sent
    older = broker.worker(m.Hello("w1", "s1", "here", ("classification",), True), b"w1")
    assert isinstance(older[0], m.Rejected)
    assert "--name" in older[0].error


def test_a_hello_that_a_dead_process_left_on_the_way_does_not_push_its_successor_out() -> None:
    broker = Broker()
    broker.hello(start_id="s3")
    assert isinstance(broker.worker(m.Hello("w1", "s2", "here", ("classification",), True), b"dead")[0], m.Rejected)
    assert broker.submit().task.state is TaskState.PROCESSING
    assert broker.core.holders["t1"].start_id == "s3"


def test_a_name_that_is_in_use_on_another_host_is_refused() -> None:
    broker = with_running_task()
    sent = broker.worker(m.Hello("w1", "s2", "elsewhere", ("classification",), True), b"thief")
    assert isinstance(sent[0], m.Rejected)
    assert "here" in sent[0].error
    assert broker.lookup().thread == "w1"


def test_a_worker_that_reconnects_keeps_its_lease() -> None:
    broker = with_running_task()
    hello = m.Hello("w1", "s1", "here", ("classification",), False, m.Holding("t1", 1))
    assert [type(message) for message in broker.worker(hello, b"new address")] == [m.Welcome, m.Pulse]
    assert broker.lookup().attempt == 1
