"""How many webhooks a second one front-end delivers, and what its callers feel of it.

    python -m benchmarks.api --part webhooks

A fast receiver on this machine is away while thousands of tasks are posted, so that a webhook of each waits. Then it
comes back. Measured are the webhooks that it gets in a second, and the processor time of the front-end for each. All of
that is repeated to see how long a GET takes before and meanwhile (one caller, one call after the other).
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.http_load import loaded
from benchmarks.http_requests import get_request
from benchmarks.service_processes import ServiceProcesses
from conf.webhook_secrets import create_secret
from tests.free_ports import free_ports

READY_TIMEOUT_S = 90.0
DRAIN_TIMEOUT_S = 300.0
UNLIMITED = "10000000"
PROCESSOR_TIME = "tfmodel_process_cpu_seconds_total "
#: The caller whose GETs are timed.
CALLERS = 1


def webhook_part(folder: Path, tasks: int, seconds: float) -> None:
    """tasks: how many webhooks wait. seconds: how long GETs are timed."""
    (port,) = free_ports(1)
    service = ServiceProcesses(
        folder,
        BROKER_MAX_PENDING=UNLIMITED,
        BROKER_MAX_PENDING_PER_USER=UNLIMITED,
        WEBHOOKS_DESTINATIONS=json.dumps([{"name": "sink", "url": f"http://127.0.0.1:{port}/"}]),
        WEBHOOKS_ALLOWED_PRIVATE="127.0.0.1",
        WEBHOOKS_FIRST_RETRY_S="0.5",
        WEBHOOKS_LONGEST_RETRY_S="0.5",
    )
    create_secret(folder / "state" / "var" / "webhook-secrets")
    project = service.projects / "project-1"
    project.mkdir()
    with service.program("broker", "-m", "broker"), service.program("web", "server.py", "run"):
        service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
        _post_until_handed_over(service, project, tasks)
        before_s = _processor_s(service)
        with _sink(service, port):
            stats = _wait_for(port, tasks)
        processor_ms = (_processor_s(service) - before_s) / tasks * 1000
        rate = tasks / (stats["last_s"] - stats["first_s"])
        print(f"\n{tasks} webhooks to a fast receiver: {rate:.0f} a second; front-end: {processor_ms:.1f} ms each")
        gets = [get_request(_post_until_handed_over(service, project, tasks))]
        web_port = service.ports["WEB_PORT"]
        quiet = loaded(web_port, CALLERS, seconds, gets)
        with _sink(service, port):
            _wait_for(port, tasks // 20)
            busy = loaded(web_port, CALLERS, seconds, gets)
            left = tasks - _stats(port)["received"]
    print(f"GET, no receiver          p50 {quiet['p50_ms']:6.1f} ms   p99 {quiet['p99_ms']:6.1f} ms")
    print(f"GET, while webhooks leave p50 {busy['p50_ms']:6.1f} ms   p99 {busy['p99_ms']:6.1f} ms   ({left} left then)")


def _sink(service: ServiceProcesses, port: int) -> contextlib.AbstractContextManager[object]:
    return service.program("sink", "-m", "benchmarks.webhook_sink", str(port))


def _processor_s(service: ServiceProcesses) -> float:
    """Seconds of processor time that the front-end has used."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(service.address + "/metrics", timeout=10) as answer:
        (line,) = (each for each in answer.read().decode().splitlines() if each.startswith(PROCESSOR_TIME))
    return float(line.split()[1])


def _post_until_handed_over(service: ServiceProcesses, project: Path, tasks: int) -> str:
    """Post that many tasks whose first event waits for the receiver. Returns a task's id."""
    before = _waiting(service)
    task_id = ""
    for _ in range(tasks):
        task_id = service.post(project)
    give_up_at_s = time.monotonic() + DRAIN_TIMEOUT_S
    while _waiting(service) - before < tasks:
        if time.monotonic() > give_up_at_s:
            raise RuntimeError(f"Only {_waiting(service)} of {tasks} webhooks wait.")
        time.sleep(0.2)
    return task_id


def _waiting(service: ServiceProcesses) -> int:
    _, body = service.call("GET", "/v1/webhooks")
    return int(body["destinations"][0]["waiting"])


def _wait_for(port: int, webhooks: int) -> dict[str, Any]:
    give_up_at_s = time.monotonic() + DRAIN_TIMEOUT_S
    while True:
        stats = _stats(port)
        if stats["received"] >= webhooks:
            return stats
        if time.monotonic() > give_up_at_s:
            raise RuntimeError(f"Of {webhooks} webhooks, {stats['received']} have arrived.")
        time.sleep(0.05)


def _stats(port: int) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            stats: dict[str, Any] = json.load(answer)
            return stats
    except OSError:
        return {"received": 0}
