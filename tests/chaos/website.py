"""A simulated website. It posts folders, repeats each POST until it is accepted, and asks for its tasks."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from tests.process.service_under_test import ServiceUnderTest
from tests.process.small_projects import SIDE_PX
from tests.project_folders import read_manifest

RETRY_S = 0.05
ENDED = ("done", "failed", "cancelled")


class Website:
    def __init__(self, service: ServiceUnderTest, options: dict[str, str] | None = None) -> None:
        """options: further ones of the tasks."""
        self._service = service
        self._options = options or {}
        self._pause = threading.Event()
        self._posted = 0
        #: The posted project of each accepted task, by its taskId. None of these tasks may ever be lost.
        self.accepted: dict[str, Path] = {}
        #: The last answer about each ended task. hasModel: whether its folder had a model with a manifest then.
        self.ended: dict[str, dict[str, Any]] = {}

    @staticmethod
    def fields(project: Path, key: str, seed: int) -> dict[str, str]:
        """The fields of a POST. seed: differs for each task, because otherwise an earlier model would be reused."""
        options = {"imageSize": str(SIDE_PX), "epochs": "4", "seed": str(seed)}
        who = {"userId": "u1", "projectId": project.name, "projectDir": str(project), "requestId": key}
        return {**who, "trainType": "classification", **options}

    def post(self, project: Path, timeout_s: float = 300.0) -> str:
        """Post a folder, and repeat the POST with the same key until it is accepted. Returns the taskId."""
        self._posted += 1
        give_up_at_s = time.monotonic() + timeout_s
        while True:
            answer = self._service.call(
                "POST", "/", self.fields(project, f"key-{self._posted}", self._posted) | self._options
            )
            if answer.status == 200:
                task_id = str(answer.body["taskId"])
                self.accepted[task_id] = project
                return task_id
            if time.monotonic() > give_up_at_s:
                raise AssertionError(f"no POST was accepted for {timeout_s:.0f} s; last answer: {answer}")
            self._pause.wait(RETRY_S)

    def live(self) -> dict[str, dict[str, Any]]:
        """The current answers about the accepted tasks that have not ended. Tasks without an answer are left out."""
        found = {}
        for task_id in self.accepted.keys() - self.ended.keys():
            answer = self._service.call("GET", f"/v1/tasks/{task_id}")
            if answer.status != 200:
                continue
            if answer.body["state"] in ENDED:
                has_model = read_manifest(self.accepted[task_id] / "models" / task_id) is not None
                self.ended[task_id] = {**answer.body, "hasModel": has_model}
            else:
                found[task_id] = answer.body
        return found

    def training(self, phase: str = "") -> dict[str, Any] | None:
        """A task in training whose trainer has reported a phase. phase: only a task in this phase, or "" for any."""
        for task in self.live().values():
            if task["state"] == "processing" and task["phase"] not in ("", "starting") and phase in ("", task["phase"]):
                return task
        return None
