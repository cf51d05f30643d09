"""The agent's decisions with a clock in hand: no process, no socket, no TensorFlow."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.errors import Failure, FailureClass
from tests.agent_driver import GRACE_S, HEARTBEAT_S, KILL_S, TRAINED, Driver, of, sent, training, warm
from tests.sample_tasks import make_spec
from trainer_worker.agent import events as agent
from trainer_worker.agent.core import HELLO_INTERVAL_S, LEAVE_TIMEOUT_S
from trainer_worker.agent.processes import RESPAWN_DELAY_S

# ---- hello and heartbeats ----


def test_it_says_hello_until_it_is_welcomed_and_then_heartbeats() -> None:
    driver = Driver()
    driver.handle(agent.TimePassed())
    hellos = sent(m.Hello, driver.wait(2.0))
    assert len(hellos) == round(2.0 / HELLO_INTERVAL_S)
    assert hellos[0] == m.Hello("w1", "s1", "here", ("classification",), False, None)
    driver.broker(m.Welcome(HEARTBEAT_S, 10.0, 2337))
    out = driver.wait(8.0)
    assert sent(m.Hello, out) == []
    assert 3 <= len(sent(m.Heartbeat, out)) <= 5


def test_a_broker_that_has_forgotten_it_hears_hello_at_once() -> None:
    driver = training()
    hello = sent(m.Hello, driver.broker(m.HelloWanted()))
    assert [h.holds for h in hello] == [m.Holding("t1", 1)]


def test_becoming_ready_is_said_at_once() -> None:
    driver = Driver()
    driver.handle(agent.TimePassed())
    driver.broker(m.Welcome(HEARTBEAT_S, 10.0, 2337))
    assert sent(m.Heartbeat, driver.ready(1)) == [m.Heartbeat(True, None)]


def test_a_rejected_worker_goes_on_asking_and_says_why_in_its_log() -> None:
    driver = Driver()
    out = driver.broker(m.Rejected("The name is taken."))
    assert any("The name is taken." in note.values for note in of(agent.Note, out))
    assert sent(m.Hello, driver.wait(1.0))


# ---- work ----


def test_a_start_goes_to_the_ready_trainer_and_is_held_from_then_on() -> None:
    driver = warm()
    out = driver.start()
    assert of(agent.Tell, out) == [agent.Tell(1, piped.Train(make_spec(), 1, 1))]
    assert sent(m.Heartbeat, out) == [m.Heartbeat(False, m.Holding("t1", 1))]


def test_a_start_that_comes_twice_is_one_training() -> None:
    driver = training()
    assert of(agent.Tell, driver.start()) == []
    driver.ended(1, m.Result("t1", 1, trained=TRAINED))
    assert of(agent.Tell, driver.start()) == [], "a late copy of an attempt that has ended"
    assert of(agent.Tell, driver.start("t1", attempt=2)) != []


def test_a_start_for_something_else_while_it_trains_is_not_taken() -> None:
    driver = training()
    assert of(agent.Tell, driver.start("t2")) == []
    assert driver.core.work is not None
    assert driver.core.work.holding == m.Holding("t1", 1)


def test_a_result_is_repeated_at_every_heartbeat_until_acknowledged() -> None:
    driver = training()
    first = sent(m.Result, driver.ended(1, m.Result("t1", 1, trained=TRAINED)))
    assert [(r.task_id, r.trained) for r in first] == [("t1", TRAINED)]
    repeats = sent(m.Result, driver.wait(3 * HEARTBEAT_S))
    assert len(repeats) >= 3
    assert all(repeat == first[0] for repeat in repeats)
    driver.acknowledge()
    assert sent(m.Result, driver.wait(3 * HEARTBEAT_S)) == []


def test_the_result_is_said_before_the_readiness_that_follows_from_it() -> None:
    driver = training()
    kinds = [type(s.message) for s in of(agent.Send, driver.ended(1, m.Result("t1", 1, trained=TRAINED)))]
    assert kinds.index(m.Result) < kinds.index(m.Heartbeat)


def test_progress_is_published_at_most_four_times_a_second_and_keeps_moving() -> None:
    driver = training()
    driver.trainer(1, piped.Report(10.0, "training", 50.0, 100.0, 100.0))
    published = [p.message.progress for p in of(agent.Publish, driver.wait(10.0, step_s=0.05))]
    assert 20 <= len(published) <= 41
    percents = [progress.progress for progress in published]
    assert percents == sorted(percents)
    assert percents[0] == 10.0 < percents[-1]


def test_reports_of_another_trainer_process_do_not_count() -> None:
    driver = training()
    driver.trainer(2, piped.Report(90.0, "training", 95.0, 1.0, 1.0))
    assert all(p.message.progress.progress < 50.0 for p in of(agent.Publish, driver.wait(2.0)))


# ---- orders ----


def test_a_cancel_climbs_from_the_message_to_sigterm_to_sigkill() -> None:
    driver = training()
    assert of(agent.Tell, driver.broker(m.Stop("t1", 1))) == [agent.Tell(1, piped.Halt(1, "t1", False))]
    assert of(agent.Terminate, driver.wait(GRACE_S - 0.5)) == []
    assert of(agent.Terminate, driver.wait(1.0)) == [agent.Terminate(1)]
    assert of(agent.Terminate, driver.wait(KILL_S)) == [agent.Terminate(1, force=True)]
    assert of(agent.Terminate, driver.wait(60.0)) == []
    out = driver.handle(agent.TrainerExited(1, "was stopped with SIGKILL"))
    assert [(r.cancelled, r.failure) for r in sent(m.Result, out)] == [(True, None)]
    assert any("SIGKILL" in note.values for note in of(agent.Note, out))


def test_a_trainer_that_stops_by_itself_is_not_killed() -> None:
    driver = training()
    driver.broker(m.Stop("t1", 1))
    driver.wait(1.0)
    driver.ended(1, m.Result("t1", 1, cancelled=True))
    assert of(agent.Terminate, driver.wait(60.0)) == []


def test_stop_and_keep_has_all_the_time_it_needs() -> None:
    driver = training()
    assert of(agent.Tell, driver.broker(m.Stop("t1", 1, keep=True))) == [agent.Tell(1, piped.Halt(1, "t1", True))]
    assert of(agent.Terminate, driver.wait(10 * GRACE_S)) == []


def test_a_cancel_overrules_a_stop_and_not_the_other_way_round() -> None:
    driver = training()
    driver.broker(m.Stop("t1", 1, keep=True))
    assert of(agent.Tell, driver.broker(m.Stop("t1", 1, keep=True))) == [], "repeated"
    assert of(agent.Tell, driver.broker(m.Pulse(m.Stop("t1", 1)))) == [agent.Tell(1, piped.Halt(1, "t1", False))]
    assert of(agent.Tell, driver.broker(m.Stop("t1", 1, keep=True))) == []


def test_an_order_for_another_attempt_is_not_ours() -> None:
    driver = training()
    for order in (m.Stop("t1", 2), m.Stop("t2", 1)):
        assert of(agent.Tell, driver.broker(order)) == []


def test_a_cancel_before_a_trainer_is_ready_ends_the_attempt_at_once() -> None:
    driver = Driver()
    driver.handle(agent.TimePassed())
    driver.broker(m.Welcome(HEARTBEAT_S, 10.0, 2337))
    driver.start()
    out = driver.broker(m.Stop("t1", 1))
    assert [r.cancelled for r in sent(m.Result, out)] == [True]
    assert of(agent.Tell, driver.ready(1)) == []


def test_a_model_that_the_broker_discards_is_removed_once() -> None:
    driver = training()
    driver.ended(1, m.Result("t1", 1, trained=TRAINED))
    assert of(agent.Discard, driver.acknowledge(discard=True)) == [agent.Discard(make_spec())]
    assert of(agent.Discard, driver.acknowledge(discard=True)) == []


# ---- trainer processes ----


def test_one_trainer_starts_and_once_it_is_ready_a_spare() -> None:
    driver = Driver()
    assert of(agent.Spawn, driver.handle(agent.TimePassed())) == [agent.Spawn(1)]
    assert of(agent.Spawn, driver.wait(60.0)) == [], "the first has all the time it needs"
    assert of(agent.Spawn, driver.ready(1)) == [agent.Spawn(2)]
    assert of(agent.Spawn, driver.ready(2)) == []


def test_without_a_spare_there_is_one_trainer_only() -> None:
    driver = Driver(keep_spare=False)
    driver.handle(agent.TimePassed())
    assert of(agent.Spawn, driver.ready(1)) == []


def test_after_a_kill_the_spare_takes_over_and_a_new_one_is_started() -> None:
    driver = training()
    driver.now_s += 30.0
    out = driver.handle(agent.TrainerExited(1, "was killed by SIGKILL at 2.0 GB, probably out of memory"))
    failures = [r.failure for r in sent(m.Result, out)]
    assert [f.code for f in failures if f] == ["trainer_killed"]
    assert failures[0] is not None
    assert "killed by SIGKILL" in failures[0].error
    assert "after 30 s" in failures[0].error
    assert of(agent.Spawn, out) == [agent.Spawn(3)]
    driver.acknowledge()
    assert of(agent.Tell, driver.start("t2"))[0].number == 2


def test_a_trainer_that_dies_while_it_loads_is_not_started_again_at_once() -> None:
    driver = Driver()
    driver.handle(agent.TimePassed())
    out = driver.handle(agent.TrainerExited(1, "exited with code 1"))
    out += driver.wait(RESPAWN_DELAY_S - 0.5)
    assert of(agent.Spawn, out) == []
    assert of(agent.Spawn, driver.wait(1.0)) == [agent.Spawn(2)]


def run_one(driver: Driver, number: int, task: int, **more: Any) -> list[agent.Instruction]:
    driver.start(f"t{task}")
    out = driver.ended(number, m.Result(f"t{task}", 1, trained=TRAINED), **more)
    driver.acknowledge(f"t{task}")
    return out


def test_a_trainer_is_replaced_after_so_many_tasks() -> None:
    driver = warm(tasks_per_process=3)
    outs = [run_one(driver, 1, task) for task in range(3)]
    assert [of(agent.Terminate, out) for out in outs] == [[], [], [agent.Terminate(1, force=True)]]
    assert of(agent.Spawn, outs[2]) == [agent.Spawn(3)]
    assert of(agent.Tell, driver.start("next"))[0].number == 2


def test_a_trainer_that_has_grown_is_replaced_between_tasks() -> None:
    driver = warm(memory_limit_mb=1000.0)
    assert of(agent.Terminate, run_one(driver, 1, 1, rss_mb=999.0)) == []
    assert of(agent.Terminate, run_one(driver, 1, 2, rss_mb=1001.0)) == [agent.Terminate(1, force=True)]


@pytest.mark.parametrize("failure_class", [FailureClass.RESOURCES, FailureClass.TRAINER])
def test_a_trainer_is_replaced_after_a_failure_that_may_be_its_own(failure_class: FailureClass) -> None:
    driver = training()
    failure = Failure("trainer_error", failure_class, "It broke.")
    out = driver.ended(1, m.Result("t1", 1, failure=failure))
    assert of(agent.Terminate, out) == [agent.Terminate(1, force=True)]
    assert of(agent.Spawn, out) == [agent.Spawn(3)]


@pytest.mark.door(19)
@pytest.mark.parametrize("failure_class", [FailureClass.DATA, FailureClass.REQUEST])
def test_bad_photos_or_options_cost_nobody_a_warm_trainer(failure_class: FailureClass) -> None:
    driver = training()
    failure = Failure("no_images", failure_class, "There are no photos.")
    out = driver.ended(1, m.Result("t1", 1, failure=failure))
    assert [r.failure for r in sent(m.Result, out)] == [failure]
    assert of(agent.Terminate, out) == []
    driver.acknowledge()
    assert of(agent.Tell, driver.start("t2"))[0].number == 1


# ---- leaving ----


def test_a_leaving_worker_hands_back_its_task_and_says_goodbye_once_that_is_heard() -> None:
    driver = training()
    out = driver.handle(agent.LeaveOrdered())
    assert [r.handed_back for r in sent(m.Result, out)] == [True]
    assert of(agent.Leave, out) == []
    out = driver.acknowledge()
    assert sent(m.Goodbye, out) == [m.Goodbye()]
    assert len(of(agent.Leave, out)) == 1


def test_a_leaving_worker_does_not_wait_for_ever_for_a_broker_that_is_away() -> None:
    driver = training()
    driver.handle(agent.LeaveOrdered())
    assert of(agent.Leave, driver.wait(LEAVE_TIMEOUT_S - 0.5)) == []
    assert of(agent.Leave, driver.wait(1.0)) != []


def test_an_idle_worker_leaves_at_once_and_starts_nothing_more() -> None:
    driver = warm()
    out = driver.handle(agent.LeaveOrdered())
    assert len(of(agent.Leave, out)) == 1
    assert of(agent.Spawn, out) == []


def test_a_task_that_arrives_while_it_leaves_is_handed_back() -> None:
    driver = training()
    driver.handle(agent.LeaveOrdered())
    out = driver.start("t2")
    assert {(r.task_id, r.handed_back) for r in sent(m.Result, out)} == {("t1", True), ("t2", True)}


@pytest.mark.parametrize("seconds", [1.0, 30.0])
def test_the_next_deadline_never_lies_so_far_ahead_that_a_heartbeat_is_late(seconds: float) -> None:
    driver = training()
    driver.wait(seconds)
    assert driver.core.next_deadline() - driver.now_s <= 0.25
    idle = warm()
    idle.wait(seconds)
    assert idle.core.next_deadline() - idle.now_s <= HEARTBEAT_S
