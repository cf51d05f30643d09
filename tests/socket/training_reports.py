"""A training that reports its progress, by way of a scripted worker."""

from __future__ import annotations

import itertools

from protocol import messages as m
from tests.socket.event_stream import EventStream, Received
from tests.socket.scripted_worker import ScriptedWorker


def report(worker: ScriptedWorker, start: m.Start, percent: float) -> None:
    metrics = {"accuracy": 0.5}
    worker.publish(m.Progress(start.spec.task_id, start.attempt, percent, "train", 30.0, 3, metrics, 20.0, 60.0, 20))


def next_progress(stream: EventStream, worker: ScriptedWorker, start: m.Start, from_percent: float) -> Received:
    """Report rising progress, as an agent does, until some beyond from_percent arrives in the stream."""
    percents = itertools.count(int(from_percent * 10) + 1)
    while True:
        report(worker, start, min(next(percents) / 10, 99.0))
        event = stream.read(within_s=0.1)
        if event is not None and event.type == "task.progress" and event.data["progress"] > from_percent:
            return event
