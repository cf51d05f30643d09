"""The spans of an attempt. They are made when it has ended, so a training pays nothing for them."""

from __future__ import annotations

import time

from conf.tracing import Traces, mark_failed, nanoseconds
from trainer_worker.agent.events import AttemptOver
from trainer_worker.agent.state import outcome_of


def record_attempt(traces: Traces, over: AttemptOver) -> None:
    """Record the attempt that has just ended, and the time that its task waited in the queue before."""
    spec, now_s = over.start.spec, time.time()
    began_s = now_s - over.ran_s
    attributes: dict[str, str | int] = {
        "tfmodel.task.id": spec.task_id,
        "tfmodel.attempt": over.start.attempt,
        "tfmodel.train_type": spec.train_type,
    }
    attempt = traces.begin("attempt", spec.traceparent, began_s, attributes)
    # The clock of the broker's machine may differ from ours.
    queued_at_s = min(over.start.queued_at_s or began_s, began_s)
    traces.begin("queue", spec.traceparent or attempt, queued_at_s, attributes).end(nanoseconds(began_s))
    ends_s = [stage.at_s for stage in over.stages[1:]] + [now_s]
    for stage, end_s in zip(over.stages, ends_s, strict=False):
        traces.begin(stage.stage, attempt, stage.at_s, attributes).end(nanoseconds(end_s))
    attempt.set_attribute("tfmodel.outcome", outcome_of(over.result).partition(" ")[0])
    if over.result.failure is not None:
        mark_failed(attempt, over.result.failure.code)
    attempt.end(nanoseconds(now_s))
