"""What a task has left: over HTTP its log, its epochs and the files of its model, and its trace."""

from __future__ import annotations

import hashlib
import io
import urllib.request
import zipfile
from typing import Any

from tests.otlp_receiver import OtlpReceiver
from tests.process.service_under_test import ServiceUnderTest, wait_until


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
    assert f"Epoch {len(of_training)} of {len(of_training)}: loss " in log


def check_downloads(service: ServiceUnderTest, task_id: str) -> None:
    """Asserts that the zip holds the files that are listed, with their hashes."""
    listed = service.call("GET", f"/v1/tasks/{task_id}/artifacts").body["artifacts"]
    hashes = {file["name"]: file["sha256"] for file in listed}
    assert {"model.tflite", "manifest.json", "report.html", "saved_model/saved_model.pb"} <= hashes.keys()
    assert next(file["score"] for file in listed if file["name"] == "model.tflite") > 0
    with zipfile.ZipFile(io.BytesIO(fetch(service, f"/v1/tasks/{task_id}/artifacts.zip"))) as packed:
        assert {name: hashlib.sha256(packed.read(name)).hexdigest() for name in packed.namelist()} == hashes


def check_trace(service: ServiceUnderTest, task_id: str, collector: OtlpReceiver, trace_id: str) -> None:
    """Asserts that one trace leads from the POST of a done task through the queue to each stage of its training."""
    spans = wait_until(lambda: collector.trace(trace_id), lambda found: "attempt" in found and "POST /" in found)
    task = service.task(task_id)
    stages = ["starting", *task["stageSeconds"]]
    assert spans.keys() == {"POST /", "queue", "attempt", *stages}
    call, queue, attempt = spans["POST /"], spans["queue"], spans["attempt"]
    assert (call.service, attempt.service) == ("tfmodel-web", "tfmodel-worker")
    assert {queue.parent_id, attempt.parent_id} == {call.span_id}
    assert {spans[stage].parent_id for stage in stages} == {attempt.span_id}
    assert call.began_ns < queue.began_ns <= queue.ended_ns == attempt.began_ns
    ends_ns = [spans[stage].ended_ns for stage in stages]
    assert ends_ns == [*(spans[stage].began_ns for stage in stages[1:]), attempt.ended_ns]
    for stage, seconds in task["stageSeconds"].items():
        took_s = (spans[stage].ended_ns - spans[stage].began_ns) / 1e9
        assert took_s >= seconds - 0.1, stage
    assert (attempt.attributes["tfmodel.outcome"], attempt.is_error) == ("trained", False)
    for span in spans.values():
        assert span.attributes["tfmodel.task.id"] == task_id
        assert str(service.projects) not in str(span), "a trace tells no paths"
