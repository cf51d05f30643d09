"""What does not fit is ended: a rejected worker's training, and a trainer process that never gets ready."""

from __future__ import annotations

from protocol import messages as m
from protocol import pipe_messages as piped
from tests.agent_driver import Driver, warm
from trainer_worker.agent import events as agent
from trainer_worker.agent.processes import START_LIMIT_S


def test_a_rejected_worker_stops_training() -> None:
    driver = warm()
    driver.start("t1")
    out = driver.broker(m.Rejected("The name is taken."))
    assert [i.message for i in out if isinstance(i, agent.Tell)] == [piped.Halt(1, "t1")]


def test_a_trainer_process_that_hangs_while_loading_is_replaced() -> None:
    driver = Driver()
    driver.handle(agent.TimePassed())
    out = driver.wait(START_LIMIT_S - 1.0)
    assert not [i for i in out if isinstance(i, agent.Terminate)]
    out = driver.wait(2.0)
    assert [i for i in out if isinstance(i, agent.Terminate)] == [agent.Terminate(1, force=True)]
    assert [i for i in out if isinstance(i, agent.Spawn)] == [agent.Spawn(2)]
