"""How fast the HTTP API is compared with bare Tornado in the same run, and how soon an idle worker starts.

    python -m benchmarks.api                   all parts, some minutes
    python -m benchmarks.api --part http       requests a second
    python -m benchmarks.api --part start      from POST to the worker's start
    python -m benchmarks.api --part fan-out    2,000 listeners of one task (benchmarks.fan_out)
    python -m benchmarks.api --part lists      pages out of 100,000 tasks (benchmarks.task_lists)
    python -m benchmarks.api --part predict    pictures a second, compared with LiteRT alone (benchmarks.predict)
    python -m benchmarks.api --part webhooks   webhooks a second (benchmarks.webhooks)

Targets: GET reaches at least 0.85 of the requests a second of a bare handler. POST, which is answered when the task is
on disk, reaches at least 0.5 of a bare handler that reads the same form. The worker starts at most 20 ms after the POST
(median). A page of 50 out of 100,000 tasks takes at most 20 ms (median). Everything runs in processes of its own on
free ports. Journal and photos lie in a temporary folder (--folder chooses the disk).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import zmq

from benchmarks.fan_out import LISTENERS, fan_out_part
from benchmarks.http_load import Measured, loaded
from benchmarks.http_requests import form, get_request, machine, post_request
from benchmarks.predict import predict_part
from benchmarks.service_processes import ServiceProcesses
from benchmarks.task_lists import lists_part
from benchmarks.webhooks import webhook_part
from demo.digits_data import make_digits_project
from protocol import messages as m
from protocol import wire
from tests.free_ports import free_ports

TARGET_GET, TARGET_POST, TARGET_START_MS = 0.85, 0.5, 20.0
PARTS = ("http", "start", "fan-out", "lists", "predict", "webhooks")
CONNECTIONS = (16, 64)
POLLED_TASKS = 100
USERS = 50
TRAINED_IMAGES = 40
READY_TIMEOUT_S = 90.0
FREE_TIMEOUT_S = 120.0
START_TIMEOUT_S = 10.0
UNLIMITED = "10000000"


# ---- requests a second ----


def http_part(folder: Path, rounds: int, seconds: float) -> None:
    """Measure requests a second. There is no worker, so tasks wait and only the API uses the processor."""
    service = ServiceProcesses(folder, BROKER_MAX_PENDING=UNLIMITED, BROKER_MAX_PENDING_PER_USER=UNLIMITED)
    project = service.projects / "project-1"
    project.mkdir()
    bodies = [form(project, user) for user in range(USERS)]
    with service.program("broker", "-m", "broker"), service.program("web", "server.py", "run"):
        service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
        answers = [service.call("POST", "/", bodies[number % USERS])[1] for number in range(POLLED_TASKS)]
        bare_port = free_ports(1)[0]
        with service.program("bare", "-m", "benchmarks.bare_server", str(bare_port), json.dumps(answers[0])):
            gets = [get_request(answer["taskId"]) for answer in answers]
            posts = [post_request(body) for body in bodies]
            ports = {"bare Tornado": bare_port, "TFModel": service.ports["WEB_PORT"]}
            service.wait_for_port(bare_port, READY_TIMEOUT_S)
            for port in ports.values():
                loaded(port, 16, 0.5, gets)  # to warm up
            print(f"\n{'':<5}{'':<14}{'connections':>12}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>8}")
            for name, requests, target in (("GET", gets, TARGET_GET), ("POST", posts, TARGET_POST)):
                for connections in CONNECTIONS:
                    compare(name, ports, requests, target, Effort(connections, rounds, seconds))


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long to measure: so many rounds, each of so many seconds, with so many connections."""

    connections: int
    rounds: int
    seconds: float


def compare(name: str, ports: dict[str, int], requests: list[str], target: float, effort: Effort) -> None:
    """Measure in interleaved rounds and print a row for each server. The ratio is the median over the rounds."""
    found: dict[str, list[Measured]] = {server: [] for server in ports}
    for _ in range(effort.rounds):
        for server, port in ports.items():
            found[server].append(loaded(port, effort.connections, effort.seconds, requests))
    bare, ours = found.values()
    ratios = [a["requests_per_s"] / b["requests_per_s"] for a, b in zip(ours, bare, strict=True)]
    for server, measured in found.items():
        rate, p50, p99 = (statistics.median(m[key] for m in measured) for key in ("requests_per_s", "p50_ms", "p99_ms"))
        row = f"{name:<5}{server:<14}{effort.connections:>12}{rate:>12.0f}{p50:>9.1f}{p99:>9.1f}"
        if measured is ours:
            row += f"{statistics.median(ratios):>8.2f}   target {target}, rounds {min(ratios):.2f} to {max(ratios):.2f}"
        print(row, flush=True)


# ---- from POST to the worker's start ----


def start_part(folder: Path, samples: int) -> None:
    """Measure with one real worker whose trainer process is warm. Each task is cancelled once it has started."""
    service = ServiceProcesses(
        folder,
        WORKER_CACHE_DIR=str(folder / "cache"),
        WORKER_KEEP_SPARE="false",
        WORKER_TASKS_PER_PROCESS=UNLIMITED,
    )
    project = service.projects / "project-1"
    make_digits_project(project, TRAINED_IMAGES)
    body = form(project, 0) + "&imageSize=64"
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    publications = context.socket(zmq.SUB)
    publications.subscribe(b"")
    publications.connect(service.endpoints.publish)
    worker = ("-m", "trainer_worker", "--name", f"benchmark-{os.getpid()}")
    try:
        with (
            service.program("broker", "-m", "broker"),
            service.program("web", "server.py", "run"),
            service.program("worker", *worker),
        ):
            service.wait_for("/readyz", "ready", READY_TIMEOUT_S)
            took_ms = [start_once(service, publications, body) for _ in range(samples + 1)][1:]
    finally:
        context.destroy(linger=0)
    p50, slowest = statistics.median(took_ms), max(took_ms)
    print("\nFrom sending POST to the agent's first progress for that task, seen by a subscriber of the broker. The")
    print("agent publishes it in the step in which it gives the task to its warm trainer process.")
    print(
        f"{samples} tasks, one idle worker: p50 {p50:.1f} ms (target {TARGET_START_MS:.0f}), slowest {slowest:.1f} ms"
    )


def start_once(service: ServiceProcesses, publications: zmq.Socket[bytes], body: str) -> float:
    """Milliseconds from POST to the worker's start. Leaves the worker idle."""
    wait_until_free(publications)
    began_s = time.perf_counter()
    status, answer = service.call("POST", "/", body)
    if status != 200:
        raise RuntimeError(f"POST was answered with {status}: {answer}")
    seen_at_s = 0.0
    while not seen_at_s:
        at_s, message = next_publication(publications)
        if isinstance(message, m.Progress) and message.task_id == answer["taskId"]:
            seen_at_s = at_s
    service.call("DELETE", f"/v1/tasks/{answer['taskId']}")
    return (seen_at_s - began_s) * 1000


def wait_until_free(publications: zmq.Socket[bytes]) -> None:
    """Wait for a tick that was sent after this call and says that the worker is free."""
    while publications.poll(0):
        publications.recv_multipart()
    give_up_at_s = time.perf_counter() + FREE_TIMEOUT_S
    while True:
        at_s, message = next_publication(publications)
        if isinstance(message, m.Tick) and message.free == 1:
            return
        if at_s > give_up_at_s:
            raise RuntimeError(f"No worker was free for {FREE_TIMEOUT_S:.0f} s; last publication: {message}")


def next_publication(publications: zmq.Socket[bytes]) -> tuple[float, m.Published]:
    if not publications.poll(int(START_TIMEOUT_S * 1000)):
        raise RuntimeError(f"The broker published nothing for {START_TIMEOUT_S:.0f} s.")
    frames = publications.recv_multipart()
    return time.perf_counter(), wire.decode(frames, m.Published)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds for each figure")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a round")
    parser.add_argument("--samples", type=int, default=20, help="tasks for the time to start")
    parser.add_argument("--webhooks", type=int, default=4000, help="webhooks that are delivered")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="where journal and photos go")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        parts = {name: Path(folder) / name for name in PARTS if arguments.part in (None, name)}
        for part in parts.values():
            part.mkdir()
        print(machine(Path(folder)))
        if "http" in parts:
            http_part(parts["http"], arguments.rounds, arguments.seconds)
        if "predict" in parts:
            predict_part(parts["predict"], arguments.rounds, arguments.seconds)
        if "start" in parts:
            start_part(parts["start"], arguments.samples)
        if "lists" in parts:
            lists_part(parts["lists"])
        if "fan-out" in parts:
            fan_out_part(parts["fan-out"], LISTENERS, arguments.rounds, arguments.seconds)
        if "webhooks" in parts:
            webhook_part(parts["webhooks"], arguments.webhooks, arguments.seconds)


if __name__ == "__main__":
    main()
