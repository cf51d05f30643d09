"""A task that waits for what no worker has says so, and stops saying so as soon as one has it."""

from __future__ import annotations

from typing import Any

import pytest

from broker.offers import REPORT_TTL_S
from protocol import messages as m
from protocol.task import Task, TaskState
from tests.broker_driver import TTL_S, Broker
from tests.sample_tasks import make_spec
from web.answers.waiting import waiting_for

GPU: dict[str, Any] = {"options": {"needs": ["gpu=a100", "room=2"]}}
BOTH = {"gpu": "a100", "room": "2"}
UNMET = m.UnmetNeeds("classification", ("gpu=a100", "room=2"))


def unmet(broker: Broker) -> tuple[m.UnmetNeeds, ...]:
    broker.wait(1.0)
    return broker.core.tick().unmet


def test_a_need_that_has_vanished_is_named_until_it_comes_back() -> None:
    broker = Broker()
    broker.wait(REPORT_TTL_S)
    broker.hello("w1", labels=BOTH, ready=False)
    broker.submit("t1", **GPU)
    assert unmet(broker) == (), "the worker is busy, and has what is needed"
    broker.wait(TTL_S + 1)
    assert unmet(broker) == (UNMET,)
    broker.hello("w2", labels={"gpu": "h200"}, ready=False)
    assert unmet(broker) == (UNMET,)
    broker.hello("w3", labels=BOTH, ready=False)
    assert unmet(broker) == ()


def test_a_task_without_needs_lacks_a_worker_only_if_there_is_none() -> None:
    broker = Broker()
    broker.submit("t1")
    assert unmet(broker) == (m.UnmetNeeds("classification", ()),)
    broker.hello("w1", ready=False)
    assert unmet(broker) == ()


def test_a_tick_names_a_bounded_number_of_kinds() -> None:
    broker = Broker()
    for number in range(m.MAX_UNMET + 20):
        broker.submit(f"t{number}", options={"needs": [f"room={number}"]})
    assert len(unmet(broker)) == m.MAX_UNMET


@pytest.mark.parametrize(
    ("state", "tick", "words"),
    [
        (TaskState.PENDING, m.Tick(1, 1, 1, 0, 1, unmet=(UNMET,)), "with gpu=a100, room=2 is registered"),
        (TaskState.PENDING, m.Tick(1, 0, 0, 0, 1, unmet=(UNMET,)), "No worker is registered"),
        (TaskState.PENDING, m.Tick(1, 1, 1, 0, 1, unmet=(m.UnmetNeeds("classification", ("gpu",)),)), ""),
        (TaskState.PENDING, m.Tick(1, 1, 1, 0, 1), ""),
        (TaskState.PENDING, None, ""),
        (TaskState.PROCESSING, m.Tick(1, 1, 1, 0, 1, unmet=(UNMET,)), ""),
    ],
)
def test_the_view_says_it_in_a_sentence(state: TaskState, tick: m.Tick | None, words: str) -> None:
    said = waiting_for(Task(make_spec("t1", **GPU), state), tick)
    assert (words in said) if words else said == ""
