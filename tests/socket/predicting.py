"""Tasks at a real broker whose models answer, and multipart bodies with pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from protocol import messages as m
from protocol.artifact import Artifact
from protocol.prediction import SentPicture
from protocol.task import Trained
from tests.socket.programs import Answer, Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

BOUNDARY = "boundary-of-the-test"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
JSON = {"Content-Type": "application/json"}


def done_task(
    programs: Programs, worker: ScriptedWorker, content: bytes, name: str = "model.tflite", **posted: Any
) -> str:
    """The id of a task that has ended with that model. posted: headers and fields, see Programs.post; trained: more of
    the worker's report."""
    trained = posted.pop("trained", {})
    worker.heartbeat(ready=False)
    headers = posted.pop("headers", {})
    answer = programs.post(headers, **posted)
    assert answer.status == 200, answer
    task_id = str(answer.body["taskId"])
    start = run_next(worker)
    assert start.spec.task_id == task_id
    artifact = put_model(start, content, name)
    path = f"{start.spec.project_path}/models/{task_id}/{name}"
    result = Trained(path, {"accuracy": 0.9}, artifacts=(artifact,), **trained)
    worker.send(m.Result(task_id, start.attempt, trained=result))
    worker.receive(m.ResultAck)
    # The broker publishes the end of the task after it has acknowledged the result.
    wait_until(lambda: programs.get(f"/?taskId={task_id}", **headers).body["state"] == "done", "the task's end")
    return task_id


def put_model(start: m.Start, content: bytes, name: str = "model.tflite") -> Artifact:
    """Write a model into the folder of the task that has started."""
    folder = Path(start.spec.project_path) / "models" / start.spec.task_id
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    return Artifact(name, len(content), hashlib.sha256(content).hexdigest())


def run_next(worker: ScriptedWorker) -> m.Start:
    worker.send(m.Heartbeat(ready=True))
    return worker.receive(m.Start)


def form(*pictures: SentPicture, field: str = "picture") -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{picture.name}"\r\n\r\n'.encode()
        + picture.content
        + b"\r\n"
        for picture in pictures
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def predict(programs: Programs, path: str, body: bytes, sent: dict[str, str] | None = None) -> Answer:
    """path: of the task or project."""
    return programs.call("POST", f"{path}/predict", body, {**MULTIPART, **(sent or {})})
