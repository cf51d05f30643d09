"""Free workers help an attempt that has a large folder. Pure.

A helper only fills the feature cache of the project (see docs/choices.md, "Helpers, not parts of a task"). So help is
no fact of the journal, and nothing depends on it: a helper may be late, stop or die at any time. A worker that helps
stays in the list of the free ones, and gets a task like any of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from broker.events import SendWorker
from broker.releases import RELEASE, TENSORFLOW
from broker.submissions import Submissions
from broker.workers import Worker
from protocol import messages as m
from protocol.labels import satisfy
from protocol.project_url import is_project_url
from protocol.task import Task


class Help(Submissions):
    def _hear_of_help(self, worker: Worker, heartbeat: m.Heartbeat) -> None:
        """Compare what a worker says of help with what it was asked for, and ask others for what it wants.

        Call this when tasks have been handed out: a worker that is still free then has none to start.
        """
        helped = self._helps(worker)
        if helped is not None and heartbeat.helps != helped:
            self._send_help(worker, self.tasks[helped.task_id])  # the order was lost
        task = self.tasks.get(worker.task_id) if worker.task_id else None
        if task is not None and heartbeat.holds == m.Holding(task.task_id, task.attempt):
            self._ask_for_help(worker, task, _most_helpers(task, heartbeat.helpers_wanted))

    def _ask_for_help(self, holder: Worker, task: Task, most: int) -> None:
        """Ask free workers until `most` of them help the attempt, or end the help of those beyond."""
        table = self.workers.help
        table.shrink(task.task_id, most)
        missing = most - table.count(task.task_id)
        for helper in list(itertools.islice(self._who_can_help(holder, task), missing)):
            self.workers.begin_help(helper, task.task_id)
            self._send_help(helper, task)

    def _who_can_help(self, holder: Worker, task: Task) -> Iterator[Worker]:
        """The free workers that could train the task as well, compute the same features, and help nobody."""
        table = self.workers.help
        for worker in self.workers.free():
            could_train = task.spec.train_type in worker.train_types and satisfy(worker.labels, task.spec.needs)
            is_asked = table.task_of(worker.key) or table.is_done(task.task_id, worker.key)
            if could_train and not is_asked and _computes_as(worker) == _computes_as(holder):
                yield worker

    def _help_over(self, worker: Worker, message: m.HelpOver) -> None:
        task = self.tasks.get(message.task_id)
        if task is not None and task.task_id in self.holders and task.attempt == message.attempt:
            self.workers.help.done(task.task_id, worker.key)

    def _send_help(self, worker: Worker, task: Task) -> None:
        if worker.peer is not None:
            place = self.workers.help.place_of(worker.key)
            self._effects.append(SendWorker(worker.peer, m.Help(task.spec, task.attempt, place)))

    def _helps(self, worker: Worker) -> m.Holding | None:
        """The attempt that the worker helps by order of this broker."""
        task_id = self.workers.help.task_of(worker.key)
        return m.Holding(task_id, self.tasks[task_id].attempt) if task_id else None


def _computes_as(worker: Worker) -> tuple[set[str], str, str]:
    """What the features of a picture depend on: the kinds of devices and the versions of TensorFlow and of our code.

    A helper compares devices, weights, TensorFlow and the version of our features again, by the name of the training's
    engine (trainer_worker/classification/helping.py).
    """
    return set(worker.devices), worker.versions.get(TENSORFLOW, ""), worker.versions.get(RELEASE, "")


def _most_helpers(task: Task, wanted: int) -> int:
    """How many helpers the attempt gets: as many as its worker wants, within the bound of the option `workers`.

    A project in object storage gets none: each worker has a copy of its own, and so a cache of its own.
    """
    workers = task.spec.options.get("workers", 1)
    if not isinstance(workers, int) or is_project_url(task.spec.project_path):
        return 0
    return min(wanted, workers - 1)
