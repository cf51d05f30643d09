"""Tasks with facts of any kind, and the events that were published for them."""

from __future__ import annotations

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
from broker.happened import event_of
from protocol.artifact import UsableModel
from protocol.errors import Failure, FailureClass
from protocol.events import Event
from protocol.task import AttemptEnd, Task, Trained
from tests.sample_tasks import make_artifact, make_spec


class History:
    """Tasks, their facts, and the events that were published for them."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.records: list[Record] = []
        self.events: list[Event] = []

    def add(self, task_id: str, fact: Fact) -> None:
        seq = len(self.records) + 1
        record = Record(seq, 1000.0 + seq / 8, task_id, fact)
        self.tasks[task_id] = task = evolve(self.tasks.get(task_id), record)
        self.records.append(record)
        self.events.append(event_of(record, task))

    def add_any(self, task_id: str, kinds: list[type[Fact]]) -> None:
        """Add the first kind of fact that can follow, if one can."""
        state = self.tasks[task_id].state if task_id in self.tasks else None
        for kind in kinds:
            if (state, kind) in NEXT_STATES:
                self.add(task_id, self._fact(kind, task_id))
                return

    def _fact(self, kind: type[Fact], task_id: str) -> Fact:
        task = self.tasks.get(task_id)
        number, attempt = len(self.records), task.attempt if task else 1
        worker = task.thread if task else ""
        if kind is Submitted:
            return Submitted(make_spec(task_id, f"user{number % 3}", metadata={"order": str(number)}))
        end = AttemptEnd(attempt, worker, "worker_lost", f"It was lost ({number}).", 5.0)
        model = UsableModel(f"/p/models/{task_id}/model.tflite", make_artifact(f"{number}.tflite"))
        made: dict[type[Fact], Fact] = {
            Leased: Leased(attempt, f"w{number}", "s1"),
            Requeued: Requeued(end, 2),
            CancelRequested: CancelRequested(),
            StopRequested: StopRequested(),
            ModelUsable: ModelUsable(attempt, model),
            ArtifactReady: ArtifactReady(attempt, make_artifact(f"{number}.bin")),
            Done: Done(attempt, Trained(f"/p/models/{task_id}/model.tflite", {"accuracy": 0.5})),
            Failed: Failed(end, Failure("worker_lost", FailureClass.LOST, "Lost.", trace="secret"), 40.0),
            Cancelled: Cancelled(attempt, 12.5),
            ModelPromoted: ModelPromoted(),
        }
        return made[kind]
