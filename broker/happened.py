"""Turns facts into the events that callers see. Pure."""

from __future__ import annotations

from broker import facts as f
from broker.facts import Record
from protocol.events import Event, EventType, iso
from protocol.task import Task

TYPE_OF_FACT: dict[type[f.Fact], EventType] = {
    f.Submitted: "task.submitted",
    f.Leased: "task.started",
    f.Requeued: "attempt.lost",
    f.CancelRequested: "task.cancel_requested",
    f.StopRequested: "task.stop_requested",
    f.ModelUsable: "model.usable",
    f.ArtifactReady: "artifact.ready",
    f.Done: "task.done",
    f.Failed: "task.failed",
    f.Cancelled: "task.cancelled",
    f.ModelPromoted: "model.promoted",
}


def event_of(record: Record, task: Task) -> Event:
    """The event that callers see for a fact. task: as it is after the fact."""
    fact, spec = record.fact, task.spec
    error = code = model_path = ""
    artifact = None
    attempt, thread, progress = task.attempt, task.thread, task.progress
    if isinstance(fact, f.CancelRequested | f.StopRequested | f.ModelUsable | f.ArtifactReady):
        progress = fact.progress  # The journal has no other progress of an attempt that has not ended.
    match fact:
        case f.Requeued():
            # The task already waits for its next attempt. The event is about the one that has ended.
            error, code = fact.end.error, fact.end.code
            attempt, thread = fact.end.attempt, fact.end.worker
        case f.Failed():
            error, code = fact.failure.error, fact.failure.code
        case f.ModelUsable():
            model_path, artifact = fact.model.model_path, fact.model.artifact
        case f.ArtifactReady():
            artifact = fact.artifact
        case f.Done():
            model_path = fact.trained.model_path
        case f.ModelPromoted() if task.trained is not None:
            model_path = task.trained.model_path
    return Event(
        id=record.seq,
        type=TYPE_OF_FACT[type(fact)],
        at=iso(record.at_s),
        task_id=spec.task_id,
        user_id=spec.user_id,
        project_id=spec.project_id,
        train_type=spec.train_type,
        state=task.state.value,
        progress=progress,
        attempt=attempt,
        thread=thread,
        metadata=spec.metadata,
        model_path=model_path,
        artifact=artifact,
        error=error,
        code=code,
    )
