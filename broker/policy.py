"""What becomes of an attempt: whether one that failed is tried again, and what the worker of one that runs is told.

Pure. Whether a failed attempt is tried again depends on the class of its failure:

class       again?
data        no: the same photos would fail the same way
request     no
resources   once, with half the batch (when memory ran out)
trainer     once: our own code raised
lost        until max_attempts attempts have been used up
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from protocol import messages as m
from protocol.bounds import MAX_ERROR_CHARS, shortened
from protocol.errors import FAILURE_CODES, Failure, FailureClass
from protocol.task import AttemptEnd, Task


class Verdict(msgspec.Struct, frozen=True):
    """again: requeue with batch_divisor; otherwise fail the task with `failure`."""

    again: bool
    batch_divisor: int
    failure: Failure


def _class_of(end: AttemptEnd) -> FailureClass:
    return FAILURE_CODES.get(end.code, FailureClass.TRAINER)


def judge(task: Task, failure: Failure, end: AttemptEnd, max_attempts: int) -> Verdict:
    """What follows from this end of the task's current attempt. `end` is not yet in task.ended_attempts."""
    counted = [e for e in (*task.ended_attempts, end) if e.counted]
    of_this_class = sum(_class_of(e) is failure.failure_class for e in counted)
    limit = {
        FailureClass.DATA: 1,
        FailureClass.REQUEST: 1,
        FailureClass.RESOURCES: 2,
        FailureClass.TRAINER: 2,
        FailureClass.LOST: max_attempts,
    }[failure.failure_class]
    # Whatever the mixture of reasons, max_attempts is the most that a task gets.
    if of_this_class < limit and len(counted) < max(max_attempts, 2):
        divisor = task.batch_divisor * (2 if failure.code == "out_of_memory" else 1)
        return Verdict(True, divisor, failure)
    return Verdict(False, task.batch_divisor, replace(failure, error=_last_words(failure, counted)))


def _last_words(failure: Failure, counted: list[AttemptEnd]) -> str:
    """The error that the caller reads: the reason, and where there were several attempts, each end."""
    if len(counted) < 2:
        return failure.error
    chars_each = max(MAX_ERROR_CHARS // len(counted) - 100, 40)
    ends = " ".join(f"Attempt {end.attempt} on {end.worker}: {shortened(end.error, chars_each)}" for end in counted)
    return f"Given up after {len(counted)} attempts. {ends}"


def pending_order(task: Task) -> m.Stop | None:
    """What the worker that trains the task still has to be told; None where there is nothing."""
    if task.cancel_requested:
        return m.Stop(task.task_id, task.attempt)
    if task.stop_requested:
        return m.Stop(task.task_id, task.attempt, keep=True)
    return None
