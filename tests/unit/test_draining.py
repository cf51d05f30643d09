"""A worker that is drained finishes its task and gets no other, until it is told to go on or has been started anew."""

from __future__ import annotations

from broker.facts import Leased
from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.task import TaskState
from tests.agent_driver import HEARTBEAT_S, of, sent, training, warm
from tests.agent_driver import TRAINED as AGENT_TRAINED
from tests.broker_driver import TRAINED, TTL_S, Broker, with_running_task
from trainer_worker.agent import events as agent


def drain(broker: Broker, on: bool = True, worker: str = "w1") -> m.WorkerInfo:
    """What the operator is told of the worker."""
    answer = broker.web(m.DrainWanted(5, worker, on))
    assert isinstance(answer, m.Workers), answer
    (info,) = answer.workers
    return info


def pulses(sent: list[object]) -> list[bool | None]:
    """The orders to drain among what was sent."""
    return [message.drain for message in sent if isinstance(message, m.Pulse)]


def test_a_free_worker_gets_no_task_from_the_moment_of_the_request() -> None:
    broker = Broker()
    broker.hello()
    info = drain(broker)
    assert (info.worker, info.draining, info.ready) == ("w1", True, False)
    broker.submit()
    broker.worker(m.Heartbeat(True))  # It was sent before the order arrived.
    assert broker.lookup().state is TaskState.PENDING
    assert broker.core.tick().draining == 1
    broker.worker(m.Heartbeat(False, draining=True))
    drain(broker, on=False)
    broker.worker(m.Heartbeat(True))
    assert broker.lookup().state is TaskState.PROCESSING


def test_the_order_is_sent_at_once_and_again_until_the_worker_does_as_it_was_told() -> None:
    broker = Broker()
    broker.hello()
    broker.web(m.DrainWanted(5, "w1", True))
    assert pulses([effect.message for effect in broker.effects if hasattr(effect, "message")]) == [True]
    assert pulses(broker.worker(m.Heartbeat(True))) == [True]
    assert pulses(broker.worker(m.Heartbeat(False, draining=True))) == [None]
    broker.web(m.DrainWanted(6, "w1", False))
    assert pulses(broker.worker(m.Heartbeat(False, draining=True))) == [False]
    assert pulses(broker.worker(m.Heartbeat(True))) == [None]
    # A late copy of the first order has reached the worker.
    assert pulses(broker.worker(m.Heartbeat(False, draining=True))) == [False]


def test_a_task_is_finished_and_its_stop_rides_on_the_same_pulse() -> None:
    broker = with_running_task()
    broker.submit("t2")
    info = drain(broker)
    assert (info.holds, info.draining) == ("t1", True)
    assert (broker.core.tick().draining, broker.core.tick().last_tasks) == (0, ("t1",))
    broker.web(m.Cancel(3, "t1"))
    broker.web(m.DrainWanted(5, "w1", True))
    (pulse,) = [e.message for e in broker.effects if isinstance(getattr(e, "message", None), m.Pulse)]
    assert pulse == m.Pulse(m.Stop("t1", 1), True)
    broker.worker(m.Result("t1", 1, trained=TRAINED))
    broker.worker(m.Heartbeat(False, draining=True, tasks_done=1))
    assert (broker.core.tick().draining, broker.core.tick().last_tasks) == (1, ())
    assert [record.task_id for record in broker.records if isinstance(record.fact, Leased)] == ["t1"]


def test_draining_outlives_the_broker_but_not_the_worker() -> None:
    broker = Broker()
    broker.hello()
    drain(broker)
    restarted = Broker(broker.records)
    restarted.hello(ready=False, draining=True)
    restarted.submit()
    restarted.worker(m.Heartbeat(True, draining=True))
    assert restarted.lookup().state is TaskState.PENDING
    assert restarted.web(m.WorkersWanted(1)).workers[0].draining
    restarted.wait(TTL_S + 1)
    restarted.hello(start_id="s2")
    assert restarted.lookup().state is TaskState.PROCESSING


def test_an_unknown_worker_is_refused_in_words() -> None:
    refused = Broker().web(m.DrainWanted(5, "nobody", True))
    assert isinstance(refused, m.Refused)
    assert (refused.request_id, refused.code) == (5, "unknown_worker")
    assert "nobody" in refused.error


def test_what_workers_say_of_themselves_is_passed_on() -> None:
    broker = Broker()
    broker.hello()
    broker.now_s += 1.0
    broker.worker(m.Heartbeat(True, None, False, ("NVIDIA H200",), 812.5, 3))
    broker.now_s += 2.0
    (info,) = broker.web(m.WorkersWanted(1)).workers
    assert (info.devices, info.memory_mb, info.tasks_done) == (("NVIDIA H200",), 812.5, 3)
    assert info.heard_at_s == 1e9 + broker.now_s - 2.0
    assert broker.core.tick().memory_mb == {"w1": 812.5}


# ---- the agent ----


def test_a_drained_agent_says_so_at_once_and_is_ready_again_when_it_may_go_on() -> None:
    driver = warm()
    out = driver.broker(m.Pulse(None, True))
    assert sent(m.Heartbeat, out) == [m.Heartbeat(False, None, draining=True)]
    assert driver.broker(m.Pulse(None, True)) == driver.broker(m.Pulse()) == []
    assert sent(m.Heartbeat, driver.broker(m.Pulse(None, False))) == [m.Heartbeat(True)]


def test_a_drained_agent_finishes_its_task_and_says_so_to_a_new_broker() -> None:
    driver = training()
    driver.broker(m.Pulse(None, True))
    assert driver.core.work is not None
    (hello,) = sent(m.Hello, driver.broker(m.HelloWanted()))
    assert (hello.draining, hello.ready, hello.holds) == (True, False, m.Holding("t1", 1))
    driver.broker(m.Welcome(HEARTBEAT_S, 10.0, 2337))
    out = driver.ended(1, m.Result("t1", 1, trained=AGENT_TRAINED))
    assert [result.trained for result in sent(m.Result, out)] == [AGENT_TRAINED]
    assert sent(m.Heartbeat, out)[-1] == m.Heartbeat(False, None, draining=True, tasks_done=1)


def test_a_heartbeat_says_devices_memory_and_tasks_done() -> None:
    driver = warm()
    driver.trainer(2, piped.Ready({}, ("NVIDIA H200",)))
    driver.handle(agent.MachineSampled(812.5))
    driver.start()
    driver.ended(1, m.Result("t1", 1, cancelled=True))
    (heartbeat, *_) = sent(m.Heartbeat, driver.wait(HEARTBEAT_S))
    assert (heartbeat.devices, heartbeat.memory_mb, heartbeat.tasks_done) == (("NVIDIA H200",), 812.5, 1)


def test_log_lines_about_a_task_name_its_request() -> None:
    driver = warm()
    notes = of(agent.Note, [*driver.start(request_id="abc"), *driver.ended(1, m.Result("t1", 1, cancelled=True))])
    lines = [note.template % note.values for note in notes if "task=" in note.template]
    assert len(lines) == 2
    assert all("task=t1 attempt=1 request=abc" in line for line in lines), lines
