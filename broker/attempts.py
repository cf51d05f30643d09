"""How attempts begin and end: tasks are handed out to workers, and what workers report, or their loss, ends them. Pure.

It collects the facts and effects of one event, which `Core.handle` returns.
"""

from __future__ import annotations

from broker import facts as f
from broker import policy
from broker.events import Effect, Now, Publish, SendWorker
from broker.facts import Record
from broker.happened import event_of
from broker.state import State
from broker.workers import Worker
from protocol import messages as m
from protocol.errors import Failure, FailureClass
from protocol.task import AttemptEnd, Task

#: How an attempt that does not count has ended: its code, and the sentence for the task's story.
HAND_BACKS = {
    "handed_back": "its worker handed it back.",
    "preempted": "its worker's machine was taken away, and the task was handed back.",
}


class Attempts(State):
    def __init__(self, max_attempts: int, max_running_per_user: int, recent_tasks: int) -> None:
        """max_running_per_user: 0 means no limit."""
        super().__init__(max_running_per_user, recent_tasks)
        self._max_attempts = max_attempts
        self._records: list[Record] = []
        self._effects: list[Effect] = []
        self._now = Now(0.0, 0.0)

    # ---- the beginning ----

    def _dispatch(self) -> None:
        """Give waiting tasks to free workers until no task can start."""
        while len(self.waiting):
            for worker in self.workers.first_free():
                task_id = self.waiting.first(worker.train_types, worker.labels)
                if task_id is not None:
                    task = self.tasks[task_id]
                    task = self._record(task_id, f.Leased(task.attempt, worker.name, worker.start_id))
                    self._send_start(worker, task)
                    break
            else:
                return

    def _send_start(self, worker: Worker, task: Task) -> None:
        if worker.peer is not None:
            start = m.Start(task.spec, task.attempt, task.batch_divisor, task.queued_at_s)
            self._effects.append(SendWorker(worker.peer, start))

    # ---- the end ----

    def _end_attempt(self, task: Task, result: m.Result) -> None:
        progress = min(99.9, max(0.0, result.progress))  # max first: it turns NaN into 0.0
        if task.cancel_requested:
            self._record(task.task_id, f.Cancelled(task.attempt, progress))
        elif result.trained is not None:
            percent = self.percent(task.task_id)
            for artifact in result.trained.artifacts:
                self._record(task.task_id, f.ArtifactReady(task.attempt, artifact, percent))
            self._record(task.task_id, f.Done(task.attempt, result.trained))
        elif result.failure is not None:
            self._fail_attempt(task, result.failure, progress)
        else:
            self._hand_back(task)

    def _hand_back(self, task: Task) -> None:
        """Put the task back into the queue. The attempt does not count, because neither task nor worker is at fault."""
        code = self.holders[task.task_id].hand_back_why or "handed_back"
        end = self._attempt_end(task, code, HAND_BACKS[code], counted=False)
        self._record(task.task_id, f.Requeued(end, task.batch_divisor))
        self._dispatch()

    def _fail_attempt(self, task: Task, failure: Failure, progress: float) -> None:
        end = self._attempt_end(task, failure.code, failure.error)
        verdict = policy.judge(task, failure, end, self._max_attempts)
        if verdict.again:
            self._record(task.task_id, f.Requeued(end, verdict.batch_divisor))
            self._dispatch()
        else:
            self._record(task.task_id, f.Failed(end, verdict.failure, progress))

    def _attempt_end(self, task: Task, code: str, error: str, counted: bool = True) -> AttemptEnd:
        return AttemptEnd(task.attempt, task.thread, code, error, self._now.wall_s, counted)

    def _lose(self, worker: Worker, why: str, began: bool = True) -> None:
        """Give a worker up. Its task goes back to the queue.

        The attempt does not count if it never began, or if the worker had been told to give it back.
        """
        task = self.tasks.get(worker.task_id) if worker.task_id else None
        if task is not None:
            progress = self.percent(task.task_id)
            if task.cancel_requested:
                self._record(task.task_id, f.Cancelled(task.attempt, progress))
            elif not began or worker.hand_back_why:
                self._hand_back(task)
            else:
                error = f"worker {worker.name} was lost: {why}."
                self._fail_attempt(task, Failure("worker_lost", FailureClass.LOST, error), progress)
        self.workers.remove(worker)

    # ---- facts ----

    def _record(self, task_id: str, fact: f.Fact, ended: Task | None = None) -> Task:
        """Add the fact to those of this event, apply it, and publish it. ended: as in State.apply."""
        record = Record(self.seq + 1, self._now.wall_s, task_id, fact)
        task = self.apply(record, ended)
        self._records.append(record)
        self._effects.append(Publish(m.TaskChanged(record.seq, task, event_of(record, task))))
        return task
