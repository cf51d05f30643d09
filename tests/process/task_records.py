"""What a task has left over HTTP: its log, its epochs, and the files of its model."""

from __future__ import annotations

import hashlib
import io
import urllib.request
import zipfile
from typing import Any

from tests.process.service_under_test import ServiceUnderTest


def fetch(service: ServiceUnderTest, path: str) -> bytes:
    """The body of an answer that is no JSON."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(service.address + path, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def log_of(service: ServiceUnderTest, task_id: str) -> str:
    log = fetch(service, f"/v1/tasks/{task_id}/log").decode()
    assert "Traceback" not in log
    return log


def epochs_of(service: ServiceUnderTest, task_id: str) -> list[dict[str, Any]]:
    epochs: list[dict[str, Any]] = service.call("GET", f"/v1/tasks/{task_id}/metrics").body["epochs"]
    return epochs


def check_story(service: ServiceUnderTest, task_id: str, stages: tuple[str, ...], parts: set[str]) -> None:
    """Asserts that log and epochs of a done task tell what it has gone through.

    parts: of its stages, whose epochs stand beside those of the training itself.
    """
    log, epochs = log_of(service, task_id), epochs_of(service, task_id)
    taken = service.task(task_id)
    places = [log.index(f"INFO Stage {stage} took ") for stage in stages]
    assert places == sorted(places)
    assert " WARNING " in log or not taken["warnings"]
    assert "attempt 1 is done" in log.splitlines()[-1]
    assert "model.tflite: " in log
    assert "models/latest names this one" in log
    assert {epoch["part"] for epoch in epochs} == {"", *parts}
    of_training = [epoch for epoch in epochs if not epoch["part"]]
    assert {epoch["stage"] for epoch in of_training} == {"train"}
    assert [epoch["epoch"] for epoch in of_training] == list(range(1, len(of_training) + 1))
    assert {epoch["epochsMax"] for epoch in of_training} == {len(of_training)}
    assert f"Epoch {len(of_training)} of {len(of_training)}: loss=" in log


def check_downloads(service: ServiceUnderTest, task_id: str) -> None:
    """Asserts that the zip holds the files that are listed, with their hashes."""
    listed = service.call("GET", f"/v1/tasks/{task_id}/artifacts").body["artifacts"]
    hashes = {file["name"]: file["sha256"] for file in listed}
    assert {"model.tflite", "manifest.json", "report.html", "saved_model/saved_model.pb"} <= hashes.keys()
    assert next(file["score"] for file in listed if file["name"] == "model.tflite") > 0
    with zipfile.ZipFile(io.BytesIO(fetch(service, f"/v1/tasks/{task_id}/artifacts.zip"))) as packed:
        assert {name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist()} == hashes
