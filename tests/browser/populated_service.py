"""A service with something to see in every view: real broker and front-end, scripted workers, tasks in all states.

with PopulatedService(folder) as service:
    service.origin, service.tasks["done"]
"""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

from protocol import messages as m
from protocol.errors import Failure, FailureClass
from tests.finished_models import finish_task, lay_classifier, lay_segmenter
from tests.socket.predicting import run_next
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

WHY_FAILED = (
    "The folder has pictures of one class only (rose, 34 pictures). A model needs at least two classes to tell apart; "
    "add a folder with pictures of another class."
)


class PopulatedService(contextlib.ExitStack):
    """Use as a context manager. tasks: taskIds by what they show: "done", "second", "masks", "failed", "cancelled",
    "training", "waiting"."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        # No heartbeats are sent, and a test that waits in vain for something should not make the next ones fail.
        self.programs = Programs(folder, BROKER_LEASE_TTL_S=3600.0)
        self.tasks: dict[str, str] = {}

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.programs.ports['WEB_PORT']}"

    def __enter__(self) -> PopulatedService:
        self.enter_context(self.programs)
        try:
            self._fill()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _fill(self) -> None:
        worker = self._worker("trainer_worker_0")
        for name in ("leaves", "roses", "herbs", "mushrooms", "birds", "shells"):
            (self.programs.projects / "anna" / name).mkdir()
        self.tasks["done"] = finish_task(self.programs, worker, lay_classifier)
        self.tasks["second"] = finish_task(self.programs, worker, functools.partial(lay_classifier, seed=2))
        leaves = {"projectDir": "anna/leaves", "projectId": "leaves", "trainType": "segmentation"}
        self.tasks["masks"] = finish_task(self.programs, worker, lay_segmenter, **leaves)
        self.tasks["failed"] = self._failed(worker)
        self.tasks["cancelled"] = self._post("birds")
        self.programs.call("DELETE", f"/v1/tasks/{self.tasks['cancelled']}")
        self.tasks["training"] = self._training(worker)
        self.tasks["waiting"] = self._post("mushrooms")
        self._post("shells")

    def _worker(self, name: str) -> ScriptedWorker:
        worker = self.enter_context(ScriptedWorker(self.programs.endpoints.worker, name))
        worker.connect_progress(self.programs.endpoints.collect)
        return worker.join()

    def _post(self, project: str) -> str:
        answer = self.programs.post(None, projectDir=f"anna/{project}", projectId=project)
        assert answer.status == 200, answer
        return str(answer.body["taskId"])

    def _failed(self, worker: ScriptedWorker) -> str:
        worker.heartbeat(ready=False)
        task_id = self._post("roses")
        start = run_next(worker)
        worker.send(m.Result(task_id, start.attempt, failure=Failure("too_few_classes", FailureClass.DATA, WHY_FAILED)))
        worker.receive(m.ResultAck)
        return task_id

    def _training(self, worker: ScriptedWorker) -> str:
        worker.heartbeat(ready=False)
        task_id = self._post("herbs")
        self._trained = worker, run_next(worker)
        self.report_progress(41.0)
        return task_id

    def report_progress(self, percent: float) -> None:
        """The training task gets so far. Returns when the front-end knows it."""
        worker, start = self._trained
        task_id = start.spec.task_id
        metrics = {"loss": 0.42, "accuracy": 0.87}
        progress = m.Progress(
            task_id,
            start.attempt,
            percent,
            "train",
            240.0,
            7,
            metrics,
            eta_low_s=180.0,
            eta_high_s=300.0,
            epochs_max=30,
        )

        def is_seen() -> bool:
            worker.publish(progress)
            return bool(self.programs.call("GET", f"/?taskId={task_id}").body["progress"] == percent)

        wait_until(is_seen, "the progress")
