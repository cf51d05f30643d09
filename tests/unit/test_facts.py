"""Which fact may follow which state: every pair of the table, and what a journal with misfits costs."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from broker.answers import about_ended
from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import Now, Recovered
from broker.facts import (
    NEXT_STATES,
    ArtifactReady,
    Cancelled,
    CancelRequested,
    Done,
    Fact,
    Failed,
    Leased,
    ModelPromoted,
    ModelUsable,
    Record,
    Requeued,
    StopRequested,
    Submitted,
    evolve,
)
from protocol import messages as m
from protocol.artifact import UsableModel
from protocol.errors import Failure, FailureClass
from protocol.task import AttemptEnd, Task, TaskState, Trained
from tests.sample_tasks import hex_id, make_artifact, make_spec

TASK, OTHER = hex_id("t1"), hex_id("t2")
MODEL = f"/projects/anna/flowers/models/{TASK}/model.tflite"
NOW = Now(100.0, 1e9)


def end(attempt: int) -> AttemptEnd:
    return AttemptEnd(attempt, "w1", "worker_lost", "It was lost.", 5.0)


def fact_of(kind: type[Fact], attempt: int) -> Fact:
    failure = Failure("worker_lost", FailureClass.LOST, "It was lost.")
    made: dict[type[Fact], Fact] = {
        Submitted: Submitted(make_spec(TASK)),
        Leased: Leased(attempt, "w1", "s1"),
        Requeued: Requeued(end(attempt), 2),
        CancelRequested: CancelRequested(),
        StopRequested: StopRequested(),
        ModelUsable: ModelUsable(attempt, UsableModel(MODEL, make_artifact())),
        ArtifactReady: ArtifactReady(attempt, make_artifact()),
        Done: Done(attempt, Trained(MODEL)),
        Failed: Failed(end(attempt), failure, 40.0),
        Cancelled: Cancelled(attempt, 40.0),
        ModelPromoted: ModelPromoted(),
    }
    return made[kind]


def task_in(state: TaskState | None, attempt: int = 2) -> Task | None:
    return None if state is None else Task(make_spec(TASK), state, attempt, submitted_at_s=1.0)


STATES: tuple[TaskState | None, ...] = (None, *TaskState)
KINDS: tuple[type[Fact], ...] = get_args(Fact)
ABOUT_AN_ATTEMPT = (Leased, Requeued, ModelUsable, ArtifactReady, Done, Failed, Cancelled)

#: Written out once more, so that no change of the table goes unseen: what each fact may follow, and what it makes.
EXPECTED: dict[type[Fact], dict[str | None, str]] = {
    Submitted: {None: "pending"},
    Leased: {"pending": "processing"},
    Requeued: {"processing": "pending"},
    CancelRequested: {"pending": "pending", "processing": "processing"},
    StopRequested: {"processing": "processing"},
    ModelUsable: {"processing": "processing"},
    ArtifactReady: {"processing": "processing"},
    Done: {"processing": "done"},
    Failed: {"processing": "failed"},
    Cancelled: {"pending": "cancelled", "processing": "cancelled"},
    ModelPromoted: {"done": "done"},
}


@pytest.mark.parametrize(("state", "kind"), list(itertools.product(STATES, KINDS)))
def test_every_pair_of_state_and_fact(state: TaskState | None, kind: type[Fact]) -> None:
    task, record = task_in(state), Record(7, 9.0, TASK, fact_of(kind, 2))
    expected = EXPECTED[kind].get(state)
    if expected is not None:
        after = evolve(task, record)
        assert after.state == expected
        assert NEXT_STATES[state, kind] is after.state
        assert after.attempt == {Submitted: 1, Requeued: 3}.get(kind, 2)
        return
    was = f"is {state} in attempt 2" if state is not None else "has not been submitted"
    of_attempt = " of attempt 2" if kind in ABOUT_AN_ATTEMPT else ""
    with pytest.raises(ValueError, match=f"^fact 7, {kind.__name__}{of_attempt}, cannot follow: task {TASK} {was}$"):
        evolve(task, record)


@pytest.mark.parametrize("kind", ABOUT_AN_ATTEMPT)
@pytest.mark.parametrize("attempt", [1, 3, 9])
def test_a_fact_of_another_attempt_than_the_tasks_is_refused(kind: type[Fact], attempt: int) -> None:
    for state in (state for state in TaskState if (state, kind) in NEXT_STATES):
        expected = f"fact 7, {kind.__name__} of attempt {attempt}, cannot follow: task {TASK} is {state} in attempt 2"
        with pytest.raises(ValueError, match=expected):
            evolve(task_in(state), Record(7, 9.0, TASK, fact_of(kind, attempt)))


def test_a_task_cannot_be_submitted_under_the_id_of_another() -> None:
    with pytest.raises(ValueError, match=f"fact 7, Submitted of task {OTHER}, cannot follow: task {TASK} has not"):
        evolve(None, Record(7, 9.0, TASK, Submitted(make_spec(OTHER))))


def numbered(facts: list[tuple[str, Fact]]) -> list[Record]:
    return [Record(seq, float(seq), task_id, fact) for seq, (task_id, fact) in enumerate(facts, 1)]


@pytest.mark.parametrize(
    ("misfit", "word"),
    [
        (Done(1, Trained(MODEL)), "Done of attempt 1"),
        (Leased(9, "w1", "s1"), "Leased of attempt 9"),
        (Submitted(make_spec(TASK)), "Submitted"),
    ],
)
def test_facts_that_do_not_fit_cost_their_own_task_only(misfit: Fact, word: str) -> None:
    core = Core(CoreSettings(max_running_per_user=1))
    other = Submitted(make_spec(OTHER))
    facts = [(TASK, Submitted(make_spec(TASK))), (OTHER, other), (TASK, misfit), (TASK, Leased(1, "w1", "s1"))]
    left_out = core.recover(Recovered(numbered([*facts, (OTHER, Leased(1, "w1", "s1"))]), seq=9), NOW)
    assert left_out.keys() == {TASK}
    assert f"fact 3, {word}, cannot follow" in left_out[TASK]
    assert core.tasks.keys() == core.holders.keys() == {OTHER}
    assert (core.tasks[OTHER].state, core.seq, len(core.waiting)) == (TaskState.PROCESSING, 9, 0)


@pytest.mark.parametrize("request_type", [m.Cancel, m.StopEarly])
def test_a_task_that_was_left_out_cannot_be_ended_and_the_answer_says_so(
    request_type: type[m.Cancel] | type[m.StopEarly],
) -> None:
    task = evolve(None, Record(1, 0.0, TASK, Submitted(make_spec(TASK))))
    refused = about_ended(request_type(4, TASK), task, 9)
    assert isinstance(refused, m.Refused)
    assert (refused.code, refused.task) == ("task_left_out", task)
    assert "could not read this task from its journal" in refused.error
    assert "ended already" not in refused.error


def test_a_task_that_is_left_out_while_it_is_trained_frees_its_worker_and_its_user() -> None:
    core = Core(CoreSettings(max_running_per_user=1))
    facts: list[tuple[str, Fact]] = [
        (TASK, Submitted(make_spec(TASK))),
        (TASK, Leased(1, "w1", "s1")),
        (TASK, Leased(1, "w2", "s1")),
        (OTHER, Submitted(make_spec(OTHER))),
    ]
    assert core.recover(Recovered(numbered(facts)), NOW).keys() == {TASK}
    assert core.waiting.first(["classification"], {}) == OTHER
    worker = core.workers.by_name("w1")
    assert worker is not None
    assert worker.task_id is None


def test_a_worker_cannot_hold_two_tasks() -> None:
    core = Core(CoreSettings())
    facts: list[tuple[str, Fact]] = [
        (TASK, Submitted(make_spec(TASK))),
        (OTHER, Submitted(make_spec(OTHER))),
        (TASK, Leased(1, "w1", "s1")),
        (OTHER, Leased(1, "w1", "s1")),
    ]
    left_out = core.recover(Recovered(numbered(facts)), NOW)
    expected = f"fact 4, Leased of attempt 1, cannot follow: worker w1 already holds task {TASK}"
    assert left_out == {OTHER: expected}
    assert core.tasks.keys() == {TASK}
