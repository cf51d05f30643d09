"""Try again or give up: the table of broker/policy.py, row by row."""

from __future__ import annotations

import pytest

from broker.policy import judge
from protocol.errors import FAILURE_CODES, Failure
from protocol.task import AttemptEnd, Task, TaskState
from tests.sample_tasks import make_spec


def lives(code: str, max_attempts: int = 3) -> tuple[int, int, Failure]:
    """Fail every attempt with `code` until given up: (attempts, the last batch divisor, what the caller reads)."""
    task = Task(make_spec(), TaskState.PROCESSING, thread="w1")
    failure = Failure(code, FAILURE_CODES[code], f"{code} happened.")
    for attempt in range(1, 20):
        end = AttemptEnd(attempt, f"w{attempt}", code, failure.error, 0.0)
        verdict = judge(task, failure, end, max_attempts)
        if not verdict.again:
            return attempt, verdict.batch_divisor, verdict.failure
        task = Task(
            task.spec,
            TaskState.PROCESSING,
            attempt + 1,
            batch_divisor=verdict.batch_divisor,
            ended_attempts=(*task.ended_attempts, end),
        )
    raise AssertionError("never given up")


@pytest.mark.parametrize(
    ("code", "attempts"),
    [
        ("no_images", 1),
        ("too_few_classes", 1),
        ("unsupported_option", 1),
        ("disk_full", 2),
        ("project_dir_not_writable", 1),
        ("out_of_memory", 2),
        ("trainer_error", 2),
        ("export_mismatch", 2),
        ("worker_lost", 3),
        ("trainer_killed", 3),
    ],
)
def test_how_often_each_failure_is_tried(code: str, attempts: int) -> None:
    assert lives(code)[0] == attempts


def test_lost_workers_use_up_the_attempts_that_the_settings_give() -> None:
    assert lives("worker_lost", max_attempts=5)[0] == 5
    assert lives("worker_lost", max_attempts=1)[0] == 1


def test_out_of_memory_halves_the_batch_and_nothing_else_does() -> None:
    assert lives("out_of_memory")[1] == 2
    assert lives("disk_full")[1] == 1
    assert lives("worker_lost")[1] == 1


def test_a_single_end_is_told_as_it_was() -> None:
    assert lives("no_images")[2].error == "no_images happened."


def test_after_several_attempts_each_end_is_told_with_its_worker() -> None:
    error = lives("worker_lost")[2].error
    assert "Given up after 3 attempts" in error
    for attempt in (1, 2, 3):
        assert f"Attempt {attempt} on w{attempt}: worker_lost happened." in error


def test_a_mixture_of_reasons_gets_no_more_than_the_attempts_allowed() -> None:
    ends = (AttemptEnd(1, "w", "worker_lost", "", 0.0), AttemptEnd(2, "w", "trainer_error", "", 0.0))
    task = Task(make_spec(), TaskState.PROCESSING, 3, ended_attempts=ends)
    failure = Failure("out_of_memory", FAILURE_CODES["out_of_memory"], "oom.")
    assert not judge(task, failure, AttemptEnd(3, "w", "out_of_memory", "", 0.0), 3).again


def test_an_attempt_that_was_handed_back_is_not_counted() -> None:
    handed_back = tuple(AttemptEnd(n, "w", "handed_back", "", 0.0, counted=False) for n in range(1, 10))
    task = Task(make_spec(), TaskState.PROCESSING, 10, ended_attempts=handed_back)
    failure = Failure("worker_lost", FAILURE_CODES["worker_lost"], "lost.")
    verdict = judge(task, failure, AttemptEnd(10, "w", "worker_lost", "", 0.0), 3)
    assert verdict.again
