"""A training that overruns its time or hangs: stopped with what it has, or killed with the reason in words."""

from __future__ import annotations

from protocol import messages as m
from protocol import pipe_messages as piped
from tests.agent_driver import GRACE_S, Driver, of, sent, training, warm
from trainer_worker.agent import events as agent
from trainer_worker.agent.limits import TIME_LIMIT_GRACE_S
from trainer_worker.agent.processes import START_LIMIT_S

STALL_S = 60.0


def step_for(driver: Driver, seconds: float) -> list[agent.Instruction]:
    """Time passes, and the trainer process reports a step every second."""
    out = []
    for number in range(round(seconds)):
        out += driver.trainer(1, piped.Report(min(number * 0.01, 90.0), "training", 95.0, 100.0, 100.0))
        out += driver.wait(1.0)
    return out


def test_at_its_time_limit_a_training_is_told_to_keep_what_it_has() -> None:
    driver = warm(stall_limit_s=STALL_S)
    driver.start(max_seconds=30)
    assert of(agent.Tell, step_for(driver, 29)) == []
    assert of(agent.Tell, step_for(driver, 5)) == [agent.Tell(1, piped.Halt(1, "t1", keep=True))]
    assert of(agent.Terminate, step_for(driver, 5 * GRACE_S)) == []


def test_a_training_that_does_not_heed_its_time_limit_is_killed_and_says_so() -> None:
    driver = warm(stall_limit_s=STALL_S)
    driver.start(max_seconds=30)
    assert of(agent.Terminate, step_for(driver, 30 + TIME_LIMIT_GRACE_S + 2)) == [agent.Terminate(1, force=True)]
    failures = [r.failure for r in sent(m.Result, driver.handle(agent.TrainerExited(1, "was stopped with SIGKILL")))]
    assert [failure.code for failure in failures if failure] == ["time_limit"]


def test_without_a_time_limit_a_training_that_steps_goes_on() -> None:
    driver = training(stall_limit_s=STALL_S)
    out = step_for(driver, 5 * STALL_S)
    assert of(agent.Tell, out) == []
    assert of(agent.Terminate, out) == []


def test_a_training_that_hangs_is_killed_once_and_tried_again() -> None:
    driver = training(stall_limit_s=STALL_S)
    step_for(driver, 5)
    assert of(agent.Terminate, driver.wait(STALL_S - 5)) == []
    assert of(agent.Terminate, driver.wait(60.0)) == [agent.Terminate(1, force=True)]
    failures = [r.failure for r in sent(m.Result, driver.handle(agent.TrainerExited(1, "was stopped with SIGKILL")))]
    assert [failure.code for failure in failures if failure] == ["trainer_stalled"]


def test_waiting_for_a_trainer_to_load_is_no_hang() -> None:
    stall_s = START_LIMIT_S / 4
    driver = Driver(stall_limit_s=stall_s)
    driver.handle(agent.TimePassed())
    driver.broker(m.Welcome(2.0, 10.0, 2337))
    driver.start()
    assert of(agent.Terminate, driver.wait(3 * stall_s)) == []
    driver.ready(1)
    assert of(agent.Terminate, driver.wait(stall_s / 2)) == []


def test_progress_does_not_go_back_when_the_trainer_is_ready_at_last() -> None:
    driver = Driver()
    driver.handle(agent.TimePassed())
    driver.broker(m.Welcome(2.0, 10.0, 2337))
    driver.start()
    out = driver.wait(30.0)
    out += driver.ready(1)
    out += driver.wait(10.0)
    percents = [publish.message.progress.progress for publish in of(agent.Publish, out)]
    assert len(percents) > 20
    assert percents == sorted(percents)
