"""Free workers help an attempt that has a large folder. Pure.

A helper only fills the feature cache of the project (see docs/choices.md, "Helpers, not parts of a task"). So help is
no fact of the journal, and nothing depends on it: a helper may be late, stop or die at any time. A worker that helps
stays in the list of the free ones, and gets a task like any of them.
"""

from __future__ import annotations

from broker.events import SendWorker
from broker.submissions import Submissions
from broker.workers import Worker
from protocol import messages as m
from protocol.labels import satisfy
from protocol.task import Task


class Help(Submissions):
    def _hear_of_help(self, worker: Worker, heartbeat: m.Heartbeat) -> None:
        """Note what a worker says of help: how many helpers its attempt wants, and whom it helps itself."""
        task = self.tasks.get(worker.task_id) if worker.task_id else None
        holds_it = task is not None and heartbeat.holds == m.Holding(task.task_id, task.attempt)
        if task is not None and worker.task_id is not None:
            self.workers.want_helpers(worker, _most_helpers(task, heartbeat.helpers_wanted) if holds_it else 0)
        helped = self._helps(worker)
        if helped is not None and heartbeat.helps != helped:
            self._send_help(worker, self.tasks[helped.task_id])  # the order was lost
        self._ask_for_help()

    def _help_over(self, worker: Worker, message: m.HelpOver) -> None:
        task = self.tasks.get(message.task_id)
        if task is not None and task.task_id in self.holders and task.attempt == message.attempt:
            self.workers.help.done(task.task_id, worker.key)
            self._ask_for_help()

    def _ask_for_help(self) -> None:
        """Ask free workers that help nobody, as long as an attempt wants more of them.

        Tasks are handed out first, so a worker that is still free then has none to start.
        """
        workers = self.workers
        for task_id in list(workers.wanting):
            if workers.free_count <= len(workers.help):
                return
            task = self.tasks[task_id]
            while workers.help.count(task_id) < workers.wanting[task_id]:
                helper = self._one_who_can_help(task)
                if helper is None:
                    break
                workers.begin_help(helper, task_id)
                self._send_help(helper, task)

    def _one_who_can_help(self, task: Task) -> Worker | None:
        """A free worker that could train the task as well, and computes the same features as the holder."""
        table = self.workers.help
        for worker in self.workers.free():
            if table.task_of(worker.key) or table.is_done(task.task_id, worker.key):
                continue
            could_train = task.spec.train_type in worker.train_types and satisfy(worker.labels, task.spec.needs)
            if could_train and _computes_as(worker) == _computes_as(self.holders[task.task_id]):
                return worker
        return None

    def _send_help(self, worker: Worker, task: Task) -> None:
        if worker.peer is not None:
            place = self.workers.help.place_of(worker.key)
            self._effects.append(SendWorker(worker.peer, m.Help(task.spec, task.attempt, place)))

    def _helps(self, worker: Worker) -> m.Holding | None:
        """The attempt that the worker helps by order of this broker."""
        task_id = self.workers.help.task_of(worker.key)
        return m.Holding(task_id, self.tasks[task_id].attempt) if task_id else None


def _computes_as(worker: Worker) -> tuple[set[str], str]:
    """What the features of a picture depend on: the kinds of devices and TensorFlow's version."""
    return set(worker.devices), worker.versions.get("tensorflow", "")


def _most_helpers(task: Task, wanted: int) -> int:
    """As many as the worker wants, but no more than the option `workers` allows.

    A project in object storage gets none: each worker has a copy of its own, and so a cache of its own.
    """
    workers = task.spec.options.get("workers", 1)
    if not isinstance(workers, int) or "://" in task.spec.project_path:
        return 0
    return min(wanted, workers - 1)
