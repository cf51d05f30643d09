"""Free workers help an attempt with a large folder, as the broker's core and the agent's core decide it."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.task import TaskState
from tests.agent_driver import GRACE_S, Driver, of, sent, training, warm
from tests.broker_driver import TRAINED, TTL_S, Broker
from tests.sample_tasks import make_spec
from trainer_worker.agent import events as agent

T1 = m.Holding("t1", 1)


def with_large_task(
    workers: int = 3,
    names: tuple[str, ...] = ("w2", "w3", "w4"),
    versions_of_holder: dict[str, str] | None = None,
    **spec: Any,
) -> Broker:
    """Worker w1 holds t1, the others are free."""
    broker = Broker()
    broker.hello(versions=versions_of_holder or {})
    broker.submit(options={"workers": workers}, **spec)
    for name in names:
        broker.hello(name)
        beat(broker, name)
    return broker


def beat(broker: Broker, name: str, helps: m.Holding | None = None, **more: Any) -> list[Any]:
    return broker.worker(m.Heartbeat(True, devices=("CPU",), helps=helps, **more), name.encode())


def want(broker: Broker, count: int, name: str = "w1", holds: m.Holding = T1) -> list[Any]:
    """The heartbeat of the worker that trains."""
    return broker.worker(m.Heartbeat(False, holds, devices=("CPU",), helpers_wanted=count), name.encode())


def helpers(broker: Broker) -> dict[str, str]:
    answer = broker.web(m.WorkersWanted(1))
    return {info.worker: info.helping for info in answer.workers if info.helping}


def asked(messages: list[Any]) -> list[int]:
    """The places of the helpers that are asked."""
    return [message.place for message in messages if isinstance(message, m.Help)]


# ---- the broker ----


def test_free_workers_are_asked_up_to_what_was_posted() -> None:
    broker = with_large_task(workers=3)
    assert asked(want(broker, 2)) == [1, 2]
    assert set(helpers(broker).values()) == {"t1"}
    assert len(helpers(broker)) == 2
    assert want(broker, 63)[-1].helpers == 2, "the option says three workers, whatever the worker wants"
    assert len(helpers(broker)) == 2


def test_nobody_is_asked_without_the_option_and_for_a_project_in_object_storage() -> None:
    for broker in (with_large_task(workers=1), with_large_task(project_path="s3://bucket/anna")):
        assert asked(want(broker, 2)) == []


def test_only_a_worker_of_the_same_device_is_asked() -> None:
    broker = with_large_task(names=())
    broker.hello("w2")
    broker.worker(m.Heartbeat(True, devices=("NVIDIA H200",)), b"w2")
    assert asked(want(broker, 2)) == []


@pytest.mark.parametrize("other", [{"tensorflow": "2.21.1"}, {"tfmodel": "0.1.1"}])
def test_only_a_worker_with_the_same_code_is_asked(other: dict[str, str]) -> None:
    """Both fit to the broker, and may train. Their features could differ."""
    versions = {"tfmodel": "0.1.0", "tensorflow": "2.21.0", "python": "3.11.7"}
    broker = with_large_task(names=(), versions_of_holder=versions)
    for name, own in (("w2", versions | other), ("w3", versions)):
        broker.hello(name, versions=own)
        beat(broker, name)
    want(broker, 2)
    assert helpers(broker) == {"w3": "t1"}


def test_a_lost_order_is_repeated_and_one_that_is_followed_is_not() -> None:
    broker = with_large_task(workers=2, names=("w2",))
    want(broker, 1)
    again = beat(broker, "w2")
    assert asked(again) == [1], "once"
    assert again[-1] == m.Pulse(helps=T1)
    assert asked(beat(broker, "w2", helps=T1)) == []


def test_a_task_goes_to_a_free_worker_that_helps_nobody_and_else_to_a_helper_at_once() -> None:
    broker = with_large_task(workers=2, names=("w2", "w3"))
    want(broker, 1)
    (helper,) = helpers(broker)
    broker.submit("t2")
    assert broker.lookup("t2").thread not in ("w1", helper)
    broker.submit("t3")
    assert broker.lookup("t3").thread == helper
    assert helpers(broker) == {}


def test_nobody_is_asked_while_a_task_waits_for_that_worker() -> None:
    broker = with_large_task(names=())
    broker.submit("t2")
    want(broker, 2)
    broker.hello("w2")
    beat(broker, "w2")
    assert broker.lookup("t2").thread == "w2"
    assert helpers(broker) == {}


def test_help_ends_with_the_wish_with_the_attempt_and_with_the_worker_that_holds_it() -> None:
    broker = with_large_task(workers=2, names=("w2",))
    want(broker, 1)
    assert helpers(broker) == {"w2": "t1"}
    want(broker, 0)
    assert helpers(broker) == {}
    want(broker, 1)
    assert helpers(broker) == {"w2": "t1"}
    broker.worker(m.Result("t1", 1, handed_back=True))
    assert helpers(broker) == {}
    assert beat(broker, "w2", helps=T1)[-1].helps is None

    broker = with_large_task(workers=2, names=("w2",))
    want(broker, 1)
    for _ in range(int(TTL_S)):
        broker.wait(1.0)
        beat(broker, "w2", helps=T1)
    broker.wait(2.0)
    assert helpers(broker) == {}


def test_a_worker_that_can_do_nothing_more_is_not_asked_again_for_that_attempt() -> None:
    broker = with_large_task(workers=2, names=("w2", "w3"))
    want(broker, 1)
    (first,) = helpers(broker)
    broker.worker(m.HelpOver("t1", 1), first.encode())
    assert helpers(broker) == {}
    want(broker, 1)
    (second,) = helpers(broker)
    assert second != first
    broker.worker(m.HelpOver("t1", 1), second.encode())
    broker.worker(m.HelpOver("t1", 7), second.encode())
    assert asked(want(broker, 1)) == []
    assert helpers(broker) == {}


def test_a_draining_worker_and_one_that_went_silent_help_no_more() -> None:
    broker = with_large_task(workers=2, names=("w2",))
    want(broker, 1)
    broker.web(m.DrainWanted(5, "w2", True))
    assert helpers(broker) == {}
    broker.web(m.DrainWanted(6, "w2", False))
    beat(broker, "w2")
    want(broker, 1)
    assert helpers(broker) == {"w2": "t1"}
    broker.worker(m.Goodbye(), b"w2")
    assert helpers(broker) == {}


def test_after_a_restart_of_the_broker_help_goes_on_at_the_next_heartbeats() -> None:
    broker = with_large_task(workers=2, names=("w2",))
    want(broker, 1)
    again = Broker(broker.records)
    again.hello(ready=False, holds=T1)
    again.hello("w2")
    beat(again, "w2")
    want(again, 1)
    assert beat(again, "w2", helps=T1)[-1].helps == T1
    assert asked(beat(again, "w2", helps=T1)) == []
    assert helpers(again) == {"w2": "t1"}
    again.worker(m.Result("t1", 1, trained=TRAINED))
    assert again.lookup().state is TaskState.DONE
    assert beat(again, "w2", helps=T1)[-1].helps is None


# ---- the agent ----


def helping(**settings: Any) -> Driver:
    """A warm worker whose process 1 helps t1."""
    driver = warm(**settings)
    (tell,) = of(agent.Tell, driver.broker(m.Help(make_spec("t1"), 1, 2)))
    assert tell == agent.Tell(1, piped.ComputeFeatures(make_spec("t1"), 1, 2))
    return driver


def said(driver: Driver) -> m.Heartbeat:
    """Its next heartbeat."""
    return sent(m.Heartbeat, driver.wait(3.0))[0]


def test_a_helping_worker_says_so_and_stays_ready() -> None:
    driver = helping()
    assert (said(driver).ready, said(driver).helps) == (True, T1)
    assert of(agent.Tell, driver.broker(m.Help(make_spec("t2"), 1, 1))) == [], "one help at a time"
    assert of(agent.Tell, driver.broker(m.Pulse(helps=T1))) == []


def test_a_task_ends_the_help_and_is_trained_by_the_spare_at_once() -> None:
    driver = helping()
    halt, train = of(agent.Tell, driver.start("t2"))
    assert halt == agent.Tell(1, piped.Halt(1, "t1"))
    assert train.number == 2
    assert isinstance(train.message, piped.Train)
    driver.trainer(1, piped.HelpEnded("t1", 1, 40, 500.0))
    assert said(driver).helps is None


def test_without_a_spare_a_task_waits_for_one_picture_at_most() -> None:
    driver = warm(keep_spare=False)
    driver.broker(m.Help(make_spec("t1"), 1, 1))
    assert said(driver).ready
    assert of(agent.Tell, driver.start("t2")) == [agent.Tell(1, piped.Halt(1, "t1"))]
    (train,) = of(agent.Tell, driver.trainer(1, piped.HelpEnded("t1", 1, 40, 500.0)))
    assert isinstance(train.message, piped.Train)
    assert not sent(m.HelpOver, driver.out), "it was told to end, and may be asked again"


def test_help_that_does_not_end_is_killed_and_the_process_replaced() -> None:
    driver = helping()
    driver.broker(m.Pulse())
    assert of(agent.Terminate, driver.wait(GRACE_S - 0.5)) == []
    out = driver.wait(1.0)
    assert of(agent.Terminate, out) == [agent.Terminate(1, force=True)]
    assert of(agent.Spawn, out) == [agent.Spawn(3)]
    driver.handle(agent.TrainerExited(1, "was stopped with SIGKILL"))
    assert of(agent.Tell, driver.broker(m.Help(make_spec("t1"), 1, 1))) != []


def test_help_that_ended_by_itself_is_over_for_good() -> None:
    driver = helping()
    assert sent(m.HelpOver, driver.trainer(1, piped.HelpEnded("t1", 1, 40, 500.0))) == [m.HelpOver("t1", 1)]
    again = driver.broker(m.Help(make_spec("t1"), 1, 1))
    assert sent(m.HelpOver, again) == [m.HelpOver("t1", 1)]
    assert of(agent.Tell, again) == []


def test_a_helper_that_was_killed_helps_once_more() -> None:
    driver = helping()
    killed = "was killed by SIGKILL"
    assert sent(m.HelpOver, driver.handle(agent.TrainerExited(1, killed))) == []
    (tell,) = of(agent.Tell, driver.broker(m.Help(make_spec("t1"), 1, 1)))
    assert tell.number == 2
    assert sent(m.HelpOver, driver.handle(agent.TrainerExited(2, killed))) == [m.HelpOver("t1", 1)]


def test_a_worker_that_trains_drains_or_is_not_ready_ignores_a_late_order() -> None:
    busy, draining = training(), warm()
    draining.broker(m.Pulse(drain=True))
    cold = Driver()
    for driver in (busy, draining, cold):
        assert of(agent.Tell, driver.broker(m.Help(make_spec("t9"), 1, 1))) == []


def test_the_worker_that_trains_passes_on_how_many_helpers_it_wants_and_has() -> None:
    driver = training()
    report = piped.Report(1.0, "features", 30.0, 2.0, 9.0, helpers_wanted=2)
    (beat_at_once,) = sent(m.Heartbeat, driver.trainer(1, report))
    assert beat_at_once.helpers_wanted == 2
    driver.broker(m.Pulse(helpers=1))
    published = [publish.message.progress.helpers for publish in of(agent.Publish, driver.wait(1.0))]
    assert published[-1] == 1
    (beat_at_once,) = sent(m.Heartbeat, driver.trainer(1, piped.Report(31.0, "advice", 40.0, 2.0, 9.0)))
    assert beat_at_once.helpers_wanted == 0
