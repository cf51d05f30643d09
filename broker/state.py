"""The state of all tasks as the facts have made it, with the indexes that decisions need. Pure.

`apply` is the only code that changes durable state. Recovery replays the journal's facts through it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from broker import facts as f
from broker.events import Recovered
from broker.facts import Record, evolve
from broker.queue import WaitingTasks
from broker.request_keys import RequestKeys
from broker.workers import Worker, WorkerTable
from protocol import messages as m
from protocol.task import Task, TaskState


class State:
    def __init__(self, max_running_per_user: int, recent_tasks: int) -> None:
        """recent_tasks: how many ended tasks are kept in memory for snapshots. Older ones are read from the journal."""
        self.seq = 0
        self.tasks: dict[str, Task] = {}
        self.recent: OrderedDict[str, Task] = OrderedDict()
        self.waiting = WaitingTasks(max_running_per_user)
        self.workers = WorkerTable()
        #: Which worker holds each task that is being trained. A Task must not contain the worker's start_id: front-ends
        #: get to see the Task, and whoever knows the start_id could act as that worker.
        self.holders: dict[str, Worker] = {}
        self.progress: dict[str, m.Progress] = {}
        #: How many usable models the current attempt of each task has recorded.
        self.models_found: Counter[str] = Counter()
        self.request_keys = RequestKeys()
        self._recent_tasks = recent_tasks

    def apply(self, record: Record, ended: Task | None = None) -> Task:
        """Apply the fact and return the task as it is then. ended: the task, if the fact is about one that has ended.

        Raises ValueError for a fact that cannot follow. Nothing has changed then.
        """
        before = ended or self.tasks.get(record.task_id) or self.recent.get(record.task_id)
        task = evolve(before, record)
        if isinstance(record.fact, f.Leased):
            self._refuse_second_lease(record.fact, record)
        self.seq = record.seq
        if before is not None and before.state is TaskState.PROCESSING and task.state is not TaskState.PROCESSING:
            self._release(task)
        if task.ended:
            self.tasks.pop(task.task_id, None)
            self.waiting.remove(task.task_id)
            self._remember_ended(task)
            return task
        self.tasks[task.task_id] = task
        if before is None:
            self.request_keys.remember(task.spec, task.submitted_at_s)
        if isinstance(record.fact, f.Submitted | f.Requeued):
            self.waiting.add(task)
        elif isinstance(record.fact, f.ModelUsable):
            self.models_found[task.task_id] += 1
        elif isinstance(record.fact, f.Leased):
            self.waiting.start(task.task_id)
            self.waiting.running(task.spec.user_id, 1)
            holder = self.workers.holder(record.fact.worker, record.fact.start_id)
            self.holders[task.task_id] = holder
            self.workers.hold(holder, task.task_id)
        return task

    def percent(self, task_id: str) -> float:
        """The progress of the task's attempt, as far as it is known; 0.0 after a restart until the worker reports."""
        known = self.progress.get(task_id)
        return known.progress if known is not None else 0.0

    def _replay(self, recovered: Recovered) -> dict[str, str]:
        """Take over the content of the journal. Returns the reason for each task that had to be left out, by task id.

        If a fact cannot follow, only the task that it belongs to is left out, so that the broker can serve the others.
        """
        for task in recovered.ended:
            self._remember_ended(task)
        for task in recovered.keyed:
            self.request_keys.remember(task.spec, task.submitted_at_s)
        left_out: dict[str, str] = {}
        for record in recovered.records:
            if record.task_id in left_out:
                continue
            try:
                self.apply(record)
            except ValueError as error:
                left_out[record.task_id] = str(error)
                self._leave_out(record.task_id)
        self.seq = max(self.seq, recovered.seq)
        return left_out

    def _leave_out(self, task_id: str) -> None:
        """Remove a task that has not ended, as if none of its facts had been read."""
        task = self.tasks.pop(task_id, None)
        self.recent.pop(task_id, None)
        self.waiting.remove(task_id)
        if task is not None and task.state is TaskState.PROCESSING:
            self._release(task)

    def _release(self, task: Task) -> None:
        """Record that the task is no longer being trained, for its worker and for its user."""
        self.workers.hold(self.holders.pop(task.task_id), None)
        self.waiting.running(task.spec.user_id, -1)
        self.progress.pop(task.task_id, None)
        self.models_found.pop(task.task_id, None)

    def _refuse_second_lease(self, leased: f.Leased, record: Record) -> None:
        held = self.workers.holder(leased.worker, leased.start_id).task_id
        if held is not None:
            raise ValueError(
                f"fact {record.seq}, Leased of attempt {leased.attempt}, cannot follow: worker {leased.worker} already "
                f"holds task {held}"
            )

    def _remember_ended(self, task: Task) -> None:
        """Keep an ended task in memory, and drop the oldest one if there are too many."""
        self.recent[task.task_id] = task
        while len(self.recent) > self._recent_tasks:
            self.recent.popitem(last=False)
