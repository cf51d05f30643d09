"""What the facts have made of the tasks, with the indexes that decisions need. Pure.

`apply` is the only code that changes durable state, and recovery replays the journal through it.
"""

from __future__ import annotations

from collections import OrderedDict

from broker import facts as f
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
        """Change the state as the fact says; returns the task after it."""
        before = self.tasks.get(record.task_id)
        task = evolve(before, record)
        self.seq = record.seq
        if before is not None and before.state is TaskState.PROCESSING and task.state is not TaskState.PROCESSING:
            self.workers.hold(self.holders.pop(task.task_id), None)
            self.waiting.running(task.spec.user_id, -1)
            self.progress.pop(task.task_id, None)
        if task.ended:
            self.tasks.pop(task.task_id, None)
            self.waiting.remove(task.task_id)
            self.remember_ended(task)
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

    def remember_ended(self, task: Task) -> None:
        """Keep an ended task at hand; the oldest leaves when there are too many."""
        self.recent[task.task_id] = task
        while len(self.recent) > self._recent_tasks:
            self.recent.popitem(last=False)
