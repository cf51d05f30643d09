"""Tasks and their events in words, for people."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from protocol.percent import metric_in_words
from tfmodel_client.types import Event

#: Metrics that are shown while a task trains, the most important first. Any others follow by name.
SHOWN_FIRST = ("val_accuracy", "val_dice", "accuracy", "dice", "val_loss", "loss")
MOST_METRICS = 3
REQUESTS = {"task.stop_requested": "stopping early", "task.cancel_requested": "cancelling"}


def phase_words(event: Event) -> str:
    """What is being done, such as "train, epoch 3 of 20"."""
    if event.state == "pending":
        return "waiting for a worker"
    if event.state in ("done", "failed", "cancelled"):
        return event.state
    if event.type in REQUESTS:
        return REQUESTS[event.type]
    words = event.phase or "starting"
    if event.epochs_max:  # Other phases than trainings have none.
        words += f", epoch {event.epoch} of {event.epochs_max}"
    return words


def metric_words(metrics: Mapping[str, float]) -> str:
    """The last figures, such as "accuracy 91.3 %  loss 0.214"."""
    order = [name for name in SHOWN_FIRST if name in metrics]
    order += [name for name in sorted(metrics) if name not in order]
    return "  ".join(metric_in_words(name, metrics[name]) for name in order[:MOST_METRICS])


def left_words(event: Event) -> str:
    """The remaining time, rounded because it is uncertain."""
    if event.eta_seconds is None or event.state != "processing":
        return ""
    if event.eta_seconds < 10:
        return "a few seconds left"
    return f"about {duration_words(event.eta_seconds)} left"


def duration_words(seconds: float) -> str:
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def report_path(model_path: str) -> str:
    """Where the report on a finished model lies, on the server's machine."""
    return f"{model_path.rpartition('/')[0]}/report.html"


def local_time(at: str | None) -> str:
    """An ISO 8601 time as the clock on the wall shows it; "" for None."""
    if not at:
        return ""
    return datetime.datetime.fromisoformat(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
