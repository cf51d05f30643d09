"""What the facts have made of the tasks, with the indexes that decisions need. Pure.

`apply` is the only code that changes durable state, and recovery replays the journal's facts through it.
"""

from __future__ import annotations

from collections import OrderedDict

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
        """recent_tasks: ended tasks kept in memory for snapshots; older ones are read from the journal."""
        self.seq = 0
        self.tasks: dict[str, Task] = {}
        self.recent: OrderedDict[str, Task] = OrderedDict()
        self.waiting = WaitingTasks(max_running_per_user)
        self.workers = WorkerTable()
        #: Who holds each task that is being trained. Which start of a worker that is stays in here: whoever knows a
        #: worker's start_id could speak for it, so a task, which front-ends see, does not carry it.
        self.holders: dict[str, Worker] = {}
        self.progress: dict[str, m.Progress] = {}
        self.request_keys = RequestKeys()
        self._recent_tasks = recent_tasks

    def apply(self, record: Record) -> Task:
        """Change the state as the fact says; returns the task after it.

        ValueError for a fact that cannot follow; then nothing has changed.
        """
        before = self.tasks.get(record.task_id)
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
        elif isinstance(record.fact, f.Leased):
            self.waiting.start(task.task_id)
            self.waiting.running(task.spec.user_id, 1)
            holder = self.workers.holder(record.fact.worker, record.fact.start_id)
            self.holders[task.task_id] = holder
            self.workers.hold(holder, task.task_id)
        return task

    def _replay(self, recovered: Recovered) -> dict[str, str]:
        """Take over what the journal holds; returns, by taskId, why a task had to be left out.

        A fact that cannot follow costs the task that it belongs to. The others must be served all the same.
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
        """Forget a live task, as if none of its facts had been read."""
        task = self.tasks.pop(task_id, None)
        self.recent.pop(task_id, None)
        self.waiting.remove(task_id)
        if task is not None and task.state is TaskState.PROCESSING:
            self._release(task)

    def _release(self, task: Task) -> None:
        """The task is not being trained any more: its worker holds nothing, its user has one running task less."""
        self.workers.hold(self.holders.pop(task.task_id), None)
        self.waiting.running(task.spec.user_id, -1)
        self.progress.pop(task.task_id, None)

    def _refuse_second_lease(self, leased: f.Leased, record: Record) -> None:
        held = self.workers.holder(leased.worker, leased.start_id).task_id
        if held is not None:
            raise ValueError(
                f"fact {record.seq}, Leased of attempt {leased.attempt}, cannot follow: worker {leased.worker} already "
                f"holds task {held}"
            )

    def _remember_ended(self, task: Task) -> None:
        """Keep an ended task at hand; the oldest leaves when there are too many."""
        self.recent[task.task_id] = task
        while len(self.recent) > self._recent_tasks:
            self.recent.popitem(last=False)
