"""What one user may ask for: keys that make asking twice harmless, and limits on waiting and running tasks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.queue import WaitingTasks
from broker.request_keys import REQUEST_KEY_TTL_S
from protocol import messages as m
from protocol.task import Task, TaskState
from tests.broker_driver import TRAINED, Broker
from tests.sample_tasks import make_spec

ANY = ("classification",)
EVENTS = st.lists(st.tuples(st.sampled_from(["add", "take", "end", "remove"]), st.sampled_from("ab")), max_size=60)


# ---- keys ----


def test_the_same_key_and_content_is_the_same_task() -> None:
    broker = Broker()
    first = broker.submit("t1", request_key="k")
    again = broker.submit("t2", request_key="k")
    assert again.task == first.task
    assert [record.task_id for record in broker.records] == ["t1"]


def test_the_same_key_for_something_else_is_refused_and_names_the_task() -> None:
    broker = Broker()
    broker.submit("t1", request_key="k")
    refused = broker.submit("t2", request_key="k", options={"epochs": 3})
    assert (refused.code, "t1" in refused.error) == ("key_reused", True)


def test_a_key_belongs_to_its_user() -> None:
    broker = Broker()
    for user in ("anna", "bert"):
        assert broker.submit(f"t-{user}", user_id=user, request_key="k").task.task_id == f"t-{user}"


def test_without_a_key_every_post_is_a_task_of_its_own() -> None:
    broker = Broker()
    assert [broker.submit(name).task.task_id for name in ("t1", "t2")] == ["t1", "t2"]


def test_a_key_outlives_a_restart_and_is_free_again_after_a_day() -> None:
    broker = Broker()
    broker.submit("t1", request_key="k")
    again = Broker(broker.records)
    assert again.submit("t2", request_key="k").task.task_id == "t1"
    again.now_s += REQUEST_KEY_TTL_S + 60
    assert again.submit("t3", request_key="k").task.task_id == "t3"


def test_a_full_queue_still_answers_a_key_that_it_knows() -> None:
    broker = Broker(max_pending=1)
    broker.submit("t1", request_key="k")
    assert broker.submit("t2", request_key="k").task.task_id == "t1"


# ---- waiting ----


def test_one_users_full_share_leaves_room_for_others() -> None:
    broker = Broker(max_pending_per_user=2)
    for name in ("t1", "t2"):
        broker.submit(name)
    refused = broker.submit("t3")
    assert (refused.code, refused.position) == ("queue_full", 3)
    assert "max_pending_per_user" in refused.error
    assert broker.submit("t4", user_id="bert").task.state is TaskState.PENDING


def test_a_cancelled_task_makes_room_again() -> None:
    broker = Broker(max_pending_per_user=1)
    broker.submit("t1")
    broker.web(m.Cancel(2, "t1"))
    assert broker.submit("t2").task.state is TaskState.PENDING


# ---- running ----


def test_no_more_of_one_users_tasks_run_than_allowed_and_others_go_on() -> None:
    broker = Broker(max_running_per_user=1)
    for worker in ("w1", "w2"):
        broker.hello(worker)
    states = [broker.submit(f"t{number}").task.state for number in range(3)]
    assert states == [TaskState.PROCESSING, TaskState.PENDING, TaskState.PENDING]
    assert broker.core.tick().pending == 0, "those that wait for their own user are nobody's fault"
    assert broker.submit("other", user_id="bert").task.state is TaskState.PROCESSING


def test_when_one_ends_the_same_users_next_is_started() -> None:
    broker = Broker(max_running_per_user=1)
    broker.hello()
    broker.submit("t1")
    broker.submit("t2")
    broker.worker(m.Result("t1", 1, trained=TRAINED))
    broker.worker(m.Heartbeat(ready=True, holds=None))
    assert broker.lookup("t2").state is TaskState.PROCESSING


@pytest.mark.parametrize("limit", [0, 1, 2])
@settings(max_examples=60)
@given(
    events=st.lists(st.tuples(st.sampled_from(["add", "take", "end", "remove"]), st.sampled_from("ab")), max_size=60)
)
def test_whatever_happens_nothing_that_may_start_is_forgotten(limit: int, events: list[tuple[str, str]]) -> None:
    waiting = WaitingTasks(limit)
    model: dict[str, list[str]] = {"a": [], "b": []}
    running = {"a": 0, "b": 0}
    for number, (event, user) in enumerate(events):
        act(waiting, model, running, event, user, number)
        may_start = {u for u in model if model[u] and (not limit or running[u] < limit)}
        first = waiting.first(ANY, {})
        assert (first is None) == (not may_start)
        assert first is None or first[0] in may_start
        assert len(waiting) == sum(map(len, model.values()))
        assert {u: waiting.of_user(u) for u in model} == {u: len(tasks) for u, tasks in model.items()}


def act(waiting: WaitingTasks, model: dict[str, list[str]], running: dict[str, int], *what: Any) -> None:
    """One thing that happens to the queue, and to the simple model of it."""
    event, user, number = what
    if event == "add":
        model[user].append(f"{user}{number}")
        waiting.add(Task(make_spec(f"{user}{number}", user)))
    elif event == "remove" and model[user]:
        waiting.remove(model[user].pop())
    elif event == "end" and running[user]:
        running[user] -= 1
        waiting.running(user, -1)
    elif event == "take" and (task_id := waiting.first(ANY, {})) is not None:
        owner = task_id[0]
        model[owner].remove(task_id)
        running[owner] += 1
        waiting.start(task_id)
        waiting.running(owner, 1)
