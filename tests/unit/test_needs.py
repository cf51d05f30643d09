"""A task that needs something is trained only by a worker that has it, and refused if none could ever have it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.offers import MAX_NAMED, REMEMBERED_S, REPORT_TTL_S
from broker.queue import TaskKind, WaitingTasks
from broker.submissions import MAX_KINDS, MAX_KINDS_PER_USER
from protocol import messages as m
from protocol import wire
from protocol.labels import satisfy
from protocol.options import check_options, read_options
from protocol.task import Task, TaskState
from tests.broker_driver import TTL_S, Broker
from tests.sample_tasks import make_spec

A100 = {"gpu": "a100"}
GPU: dict[str, Any] = {"options": {"needs": ["gpu"]}}


def settled(**settings: Any) -> Broker:
    """A broker that has run for long enough to know which workers there are."""
    broker = Broker(**settings)
    broker.wait(REPORT_TTL_S)
    return broker


def refusal(broker: Broker, task_id: str = "t1", **more: Any) -> tuple[str, str]:
    """The code and the sentence of a refusal; two empty strings for an accepted task."""
    answer = broker.submit(task_id, **more)
    return (answer.code, answer.error) if isinstance(answer, m.Refused) else ("", "")


@pytest.mark.parametrize(
    ("labels", "needs", "fits"),
    [
        ({}, (), True),
        (A100, (), True),
        ({}, ("gpu",), False),
        (A100, ("gpu",), True),
        (A100, ("gpu=a100",), True),
        (A100, ("gpu=h200",), False),
        ({**A100, "room": "2"}, ("gpu", "room=2"), True),
        ({**A100, "room": "2"}, ("gpu", "room=3"), False),
    ],
)
def test_a_need_is_a_label_with_any_value_or_with_this_one(
    labels: dict[str, str], needs: tuple[str, ...], fits: bool
) -> None:
    assert satisfy(labels, needs) is fits


@pytest.mark.parametrize("text", ["GPU", "gpu=", "=a100", "gpu=a b", "gpu;rm", "g" * 33, "a,b,c,d,e"])
def test_needs_of_another_form_are_refused_with_a_sentence(text: str) -> None:
    options, problems = read_options("classification", {"needs": text})
    assert (options, [problem.field for problem in problems]) == ({}, ["needs"])
    assert "name=value" in problems[0].error
    assert check_options("classification", {"needs": text.split(",")})[1]


def test_the_same_needs_in_another_order_are_the_same() -> None:
    first, second = (make_spec(options={"needs": needs}) for needs in (["room=2", "gpu"], ["gpu", "room=2", "gpu"]))
    assert first.needs == second.needs == ("gpu", "room=2")


def test_a_task_waits_for_a_worker_that_has_what_it_needs() -> None:
    broker = Broker()
    broker.hello("plain")
    broker.submit(**GPU)
    assert broker.lookup().state is TaskState.PENDING
    broker.hello("fast", labels=A100)
    assert (broker.lookup().state, broker.lookup().thread) == (TaskState.PROCESSING, "fast")


def test_a_task_that_needs_nothing_leaves_the_special_worker_free() -> None:
    broker = Broker()
    broker.hello("fast", labels=A100)
    broker.hello("plain")
    broker.submit()
    assert broker.lookup().thread == "plain"
    broker.submit("t2")
    assert broker.lookup("t2").thread == "fast", "it is better than waiting"


def test_labels_that_a_heartbeat_brings_count_from_then_on() -> None:
    broker = Broker()
    broker.hello("w1")
    broker.submit(**GPU)
    broker.worker(m.Heartbeat(True, labels=A100))
    assert broker.lookup().thread == "w1"
    (info,) = broker.web(m.WorkersWanted(3)).workers
    assert info.labels == A100


def test_a_need_that_nobody_meets_is_refused_and_the_sentence_names_what_there_is() -> None:
    broker = settled()
    broker.hello("w1", labels={"gpu": "t4", "room": "2"})
    code, error = refusal(broker, options={"needs": ["gpu=a100"]})
    assert code == "needs_unmet"
    assert "gpu=a100" in error
    assert "gpu=t4, room=2" in error
    assert refusal(broker, "t2", **GPU) == ("", "")
    assert refusal(broker, "t3", train_type="segmentation", **GPU)[0] == "needs_unmet", "w1 trains classifiers alone"


def test_a_refusal_names_only_some_of_very_many_kinds_of_workers() -> None:
    broker = settled()
    for number in range(MAX_NAMED + 5):
        broker.hello(f"w{number}", labels={"room": str(number)})
    assert "and 5 more" in refusal(broker, **GPU)[1]


def test_in_the_first_minute_of_a_broker_every_need_may_be_met() -> None:
    broker = Broker()
    assert refusal(broker, **GPU) == ("", "")
    broker.wait(REPORT_TTL_S)
    assert refusal(broker, "t2", **GPU)[0] == "needs_unmet"


def test_a_worker_that_has_just_gone_may_come_back() -> None:
    broker = settled()
    broker.hello("w1", labels=A100)
    broker.wait(TTL_S + 1)
    assert len(broker.core.workers) == 0
    assert refusal(broker, **GPU) == ("", "")
    broker.wait(REMEMBERED_S, step_s=5.0)
    assert refusal(broker, "t2", **GPU)[0] == "needs_unmet"


def test_a_worker_that_stays_is_never_forgotten() -> None:
    broker = settled()
    broker.hello("w1", labels=A100)
    for _ in range(int(2 * REMEMBERED_S / 5)):
        broker.wait(5.0, step_s=5.0)
        broker.worker(m.Heartbeat(True, labels=A100))
    assert refusal(broker, **GPU) == ("", "")


def test_what_the_cluster_may_start_meets_a_need_while_its_controller_reports() -> None:
    broker = settled()
    pools = (m.PoolInfo("gpu", A100, max_workers=3), m.PoolInfo("tpu", {"tpu": "v5"}, max_workers=0))
    broker.web(m.PoolsReported(3, pools))
    assert refusal(broker, **GPU) == ("", "")
    assert refusal(broker, "t2", options={"needs": ["tpu"]})[0] == "needs_unmet"
    assert broker.core.tick().pools == broker.web(m.WorkersWanted(4)).pools == pools
    broker.wait(REPORT_TTL_S)
    assert refusal(broker, "t3", **GPU)[0] == "needs_unmet"
    assert broker.core.tick().pools == ()


def test_the_controller_is_told_what_waits_and_which_workers_there_are() -> None:
    broker = Broker()
    broker.hello("plain")
    broker.submit("t0")
    for number in range(1, 4):
        broker.submit(f"t{number}", **GPU)
    broker.submit("t4")
    demand = broker.web(m.PoolsReported(3, ()))
    assert isinstance(demand, m.Demand)
    waiting = {(each.train_type, each.needs): each.count for each in demand.waiting}
    assert waiting == {("classification", ("gpu",)): 3, ("classification", ()): 1}
    assert [(info.worker, info.holds) for info in demand.workers] == [("plain", "t0")]


def test_a_free_worker_that_lacks_what_the_waiting_tasks_need_is_no_fault() -> None:
    broker = Broker()
    broker.hello("plain")
    broker.submit(**GPU)
    tick = broker.core.tick()
    assert (tick.pending, tick.free, tick.overdue) == (1, 1, 0)
    broker.core.workers.describe(broker.core.workers.first_free()[0], ("classification",), A100)
    assert broker.core.tick().overdue == 1, "a fault: the task should have been given out"


def test_a_worker_that_is_told_to_hand_its_task_back_does_and_the_attempt_does_not_count() -> None:
    broker = Broker()
    broker.hello("w1")
    broker.submit()
    broker.web(m.DrainWanted(5, "w1", True, hand_back=True, why="preempted"))
    pulses = [effect.message for effect in broker.effects if isinstance(getattr(effect, "message", None), m.Pulse)]
    assert pulses == [m.Pulse(None, True, True)]
    broker.worker(m.Result("t1", 1, handed_back=True))
    (end,) = broker.lookup().ended_attempts
    assert (end.code, end.counted) == ("preempted", False)
    assert "taken away" in end.error
    assert broker.lookup().state is TaskState.PENDING


def test_a_machine_that_goes_before_its_worker_can_answer_costs_no_attempt() -> None:
    broker = Broker()
    broker.hello("w1")
    broker.submit()
    broker.web(m.DrainWanted(5, "w1", True, hand_back=True, why="preempted"))
    broker.wait(TTL_S + 1)
    assert [(end.code, end.counted) for end in broker.lookup().ended_attempts] == [("preempted", False)]


events = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "take", "end"]), st.sampled_from("ab"), st.sampled_from(["", "gpu"])),
    max_size=40,
)


@given(limit=st.integers(0, 2), events=events)
def test_the_counts_of_what_could_start_are_those_of_a_slow_count(
    limit: int, events: list[tuple[str, str, str]]
) -> None:
    """The slow count hands out all tasks, as if the users' limits stood still."""
    waiting = WaitingTasks(limit)
    kinds: dict[str, TaskKind] = {}
    for number, (event, user, need) in enumerate(events):
        needs = (need,) if need else ()
        if event == "add":
            task_id = f"{user}{number}"
            waiting.add(Task(make_spec(task_id, user, options={"needs": list(needs)})))
            kinds[task_id] = TaskKind("classification", needs)
        elif event == "remove" and kinds:
            waiting.remove(min(kinds))
            del kinds[min(kinds)]
        elif event == "take":
            task_id = waiting.first(("classification",), A100 if need else {}) or ""
            if task_id:
                assert satisfy(A100 if need else {}, kinds.pop(task_id).needs)
                waiting.start(task_id)
                waiting.running(task_id[0], 1)
        elif event == "end" and waiting._running_of_user[user]:
            waiting.running(user, -1)
        counts = waiting.startable_by_kind
        assert sum(counts.values()) == waiting.startable <= len(waiting) == len(kinds)
        assert all(0 < count <= sum(kind == one for one in kinds.values()) for kind, count in counts.items())


def test_users_with_countless_different_needs_are_refused_and_the_controller_is_told_of_the_others() -> None:
    broker = Broker()
    refused = []
    for number in range(MAX_KINDS + 200):
        user_id = f"user{number // (MAX_KINDS_PER_USER + 10)}"
        answer = broker.submit(f"t{number}", user_id=user_id, options={"needs": [f"room={number}"]})
        refused += [answer] if isinstance(answer, m.Refused) else []
    assert {(each.code, each.quota, each.quota_size) for each in refused} == {
        ("queue_full", "needs", MAX_KINDS_PER_USER),
        ("queue_full", "needs", MAX_KINDS),
    }
    assert refusal(broker, "again", user_id="other", options={"needs": ["room=0"]}) == ("", "")
    assert refusal(broker, "plain", user_id="user0") == ("", "")
    demand = broker.web(m.PoolsReported(1, ()))
    assert len(demand.waiting) == MAX_KINDS + 1
    assert wire.decode(wire.encode(demand), m.BrokerToWeb) == demand
