"""What an agent does around its welcome: who it is comes first, then its results, and progress carries its key."""

from __future__ import annotations

from protocol import messages as m
from tests.agent_driver import HEARTBEAT_S, TRAINED, Driver, of, sent, training
from trainer_worker.agent import events as agent


def with_result_and_no_welcome() -> Driver:
    """The training ended, and then the broker, which was restarted, asks who this is."""
    driver = training()
    driver.ended(1, m.Result("t1", 1, trained=TRAINED))
    driver.broker(m.HelloWanted())
    return driver


def test_a_broker_that_does_not_know_us_gets_a_hello_and_no_results() -> None:
    driver = with_result_and_no_welcome()
    assert len(sent(m.Hello, driver.out)) == 1
    assert sent(m.Result, driver.out + driver.wait(3.0)) == []


def test_results_follow_the_welcome_at_once() -> None:
    driver = with_result_and_no_welcome()
    out = driver.broker(m.Welcome(HEARTBEAT_S, 10.0, 2337))
    assert [(result.task_id, result.trained) for result in sent(m.Result, out)] == [("t1", TRAINED)]
    assert sent(m.Result, driver.wait(HEARTBEAT_S)) != [], "and again until they are acknowledged"
    driver.acknowledge()
    assert sent(m.Result, driver.wait(3 * HEARTBEAT_S)) == []


def test_a_broker_that_asks_several_times_gets_one_hello() -> None:
    driver = with_result_and_no_welcome()
    assert [message for _ in range(5) for message in sent(m.Hello, driver.broker(m.HelloWanted()))] == []
    assert len(sent(m.Hello, driver.wait(0.5))) == 1, "but it is repeated, as it may be lost"


def test_progress_carries_the_key_of_the_newest_welcome() -> None:
    driver = training()
    for key in ("one", "two"):
        driver.broker(m.Welcome(HEARTBEAT_S, 10.0, 2337, key))
        published = of(agent.Publish, driver.wait(1.0))
        assert {publish.message.publish_key for publish in published} == {key}
