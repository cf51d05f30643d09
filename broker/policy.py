"""Two decisions about attempts: is a task tried again after a failure, and which order is pending for its worker? Pure.

The class of a failure decides whether the task is tried again:

class       is it tried again?
data        no, because the same photos would fail in the same way
request     no
resources   once; if memory ran out, with half the batch size
trainer     once
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
    """again: put the task back into the queue with batch_divisor. Otherwise the task ends with `failure`."""

    again: bool
    batch_divisor: int
    failure: Failure


def _class_of(end: AttemptEnd) -> FailureClass:
    return FAILURE_CODES.get(end.code, FailureClass.TRAINER)


def judge(task: Task, failure: Failure, end: AttemptEnd, max_attempts: int) -> Verdict:
    """Decide what happens after an attempt has failed. end: how it ended; task.ended_attempts does not have it yet."""
    counted = [e for e in (*task.ended_attempts, end) if e.counted]
    of_this_class = sum(_class_of(e) is failure.failure_class for e in counted)
    limit = {
        FailureClass.DATA: 1,
        FailureClass.REQUEST: 1,
        FailureClass.RESOURCES: 2,
        FailureClass.TRAINER: 2,
        FailureClass.LOST: max_attempts,
    }[failure.failure_class]
    # A task gets no more than max_attempts attempts (or two), even if they fail for different reasons.
    if of_this_class < limit and len(counted) < max(max_attempts, 2):
        divisor = task.batch_divisor * (2 if failure.code == "out_of_memory" else 1)
        return Verdict(True, divisor, failure)
    return Verdict(False, task.batch_divisor, replace(failure, error=_error_for_caller(failure, counted)))


def _error_for_caller(failure: Failure, counted: list[AttemptEnd]) -> str:
    """The error for the caller. If there were several attempts, it says how each of them ended."""
    if len(counted) < 2:
        return failure.error
    chars_each = max(MAX_ERROR_CHARS // len(counted) - 100, 40)
    ends = " ".join(f"Attempt {end.attempt} on {end.worker}: {shortened(end.error, chars_each)}" for end in counted)
    return f"Given up after {len(counted)} attempts. {ends}"


def pending_order(task: Task) -> m.Stop | None:
    """The order that the task's worker has yet to carry out; None if there is none."""
    if task.cancel_requested:
        return m.Stop(task.task_id, task.attempt)
    if task.stop_requested:
        return m.Stop(task.task_id, task.attempt, keep=True)
    return None
