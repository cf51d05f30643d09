"""A front-end, a broker and a scripted worker with projects in object storage, and calls about them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from protocol import messages as m
from protocol.artifact import Artifact
from protocol.task import Trained
from tests.fault_proxy import FaultProxy, fault_proxy
from tests.finished_models import lay_classifier
from tests.object_servers import BUCKET, CREDENTIALS, ObjectServer, moto
from tests.security.raw_http import RawAnswer, RawCaller
from tests.socket.predicting import run_next
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until
from trainer_worker.project.sealed_json import sealed_text

ROOT = f"s3://{BUCKET}/users"
JSON_TYPE = "Content-Type: application/json"
#: The folder in that of the model in which the worker puts the files of one publication.
PUBLICATION = "1-0123abcd"


@dataclass
class Service:
    """Its first data root is ROOT, and its second one the folder of the programs' projects."""

    programs: Programs
    worker: ScriptedWorker
    server: ObjectServer
    proxy: FaultProxy
    folder: Path

    def ask(self, line: str, *lines: str, body: bytes | dict[str, Any] = b"") -> RawAnswer:
        """line: such as "GET /v1/server". lines: headers."""
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        more = [JSON_TYPE] if isinstance(body, dict) else []
        with RawCaller(self.programs.ports["WEB_PORT"]) as caller:
            return caller.ask(f"{line} HTTP/1.1", "Host: 127.0.0.1", *more, *lines, body=content)

    def put_file(self, key: str, content: bytes) -> None:
        """key: relative to ROOT."""
        folder, _, name = key.rpartition("/")
        self.server.fill(f"users/{folder}", {name: content})

    def finish(self, project: str) -> str:
        """The id of a task with a finished classifier. project: such as "anna/flowers", relative to ROOT."""
        start = self._started(project, {})
        task_id = start.spec.task_id
        laid = self.folder / task_id
        laid.mkdir()
        trained = published(lay_classifier(laid, task_id), laid, start.spec.project_path)
        for file in laid.rglob("*"):
            if file.is_file():
                self.put_file(f"{project}/{file.relative_to(laid)}", file.read_bytes())
        return self._ended(start, trained, {})

    def finish_with(self, project: str, content: bytes, headers: dict[str, str]) -> str:
        """The same for a model that is only a file model.tflite with this content."""
        start = self._started(project, headers)
        model = f"models/{start.spec.task_id}"
        self.put_file(f"{project}/{model}/{PUBLICATION}/model.tflite", content)
        self.put_file(f"{project}/{model}/manifest.json", json.dumps({"folder": PUBLICATION}).encode())
        artifact = Artifact("model.tflite", len(content), hashlib.sha256(content).hexdigest())
        path = f"{start.spec.project_path}/{model}/{PUBLICATION}/model.tflite"
        return self._ended(start, Trained(path, {"accuracy": 0.9}, artifacts=(artifact,)), headers)

    def _started(self, project: str, headers: dict[str, str]) -> m.Start:
        self.put_file(f"{project}/images/apple/000.jpg", b"soon replaced by a photo")
        posted = {"projectDir": f"{ROOT}/{project}", "projectId": project.replace("/", "-")}
        answer = self.programs.post(headers, **posted)
        assert answer.status == 200, answer
        start = run_next(self.worker)
        assert start.spec.task_id == answer.body["taskId"]
        return start

    def _ended(self, start: m.Start, trained: Trained, headers: dict[str, str]) -> str:
        task_id = start.spec.task_id
        self.worker.send(m.Result(task_id, start.attempt, trained=trained))
        self.worker.receive(m.ResultAck)
        self.worker.heartbeat(ready=False)
        wait_until(lambda: self.programs.get(f"/?taskId={task_id}", **headers).body["state"] == "done", "its end")
        return task_id


def published(trained: Trained, project: Path, url: str) -> Trained:
    """Move the files of a model to where they lie in object storage, and name that place in its manifest."""
    (model,) = (project / "models").glob("*[0-9a-f]")
    manifest = model / "manifest.json"
    files = [file for file in model.iterdir() if file != manifest]
    (model / PUBLICATION).mkdir()
    for file in files:
        file.rename(model / PUBLICATION / file.name)
    content = sealed_text({**json.loads(manifest.read_text()), "folder": PUBLICATION}).encode()
    manifest.write_bytes(content)
    artifacts = [artifact for artifact in trained.artifacts if artifact.name != manifest.name]
    own = Artifact(manifest.name, len(content), hashlib.sha256(content).hexdigest())
    name = Path(trained.model_path).name
    path = f"{url}/models/{model.name}/{PUBLICATION}/{name}"
    return replace(trained, artifacts=(*artifacts, own), model_path=path)


@contextlib.contextmanager
def object_service(folder: Path, **settings: object) -> Iterator[Service]:
    """settings: as for Programs."""
    before = {name: os.environ.get(name) for name in CREDENTIALS}
    with moto() as server, fault_proxy(server.endpoint) as proxy:
        os.environ.update(CREDENTIALS)
        try:
            given: dict[str, Any] = {
                "WEB_DATA_ROOTS": f"{ROOT},{folder / 'projects'}",
                "STORAGE_ENDPOINT": proxy.endpoint,
                "STORAGE_ALLOW_HTTP": "true",
                **settings,
            }
            with Programs(folder, **given) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
                worker.join()
                worker.heartbeat(ready=False)  # it takes a task only when a test wants it
                laid = folder / "laid"
                laid.mkdir()
                yield Service(programs, worker, server, proxy, laid)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
