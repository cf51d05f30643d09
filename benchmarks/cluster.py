"""A Ray cluster of three nodes on one machine: how throughput grows with workers, and what a dying node costs.

    python -m benchmarks.cluster               60 tasks for each number of workers, about 10 minutes if it is quiet
    python -m benchmarks.cluster --tasks 6     the same in short
    python -m benchmarks.cluster --seconds 2   workers that train nothing: what controller, Ray and broker cost

The service, the controller, Ray and the trainings (20 digits, one thread each) are real. Each node has one CPU, so each
has one worker. First the pool is empty, and the time from a POST to the start of its training is measured, which
includes the start of a worker and of TensorFlow. Then the tasks are worked off by one, two and three workers. Last, the
node of a worker that trains is killed every 20 s, and another one takes its place.

Targets: two workers on two cores finish at least 1.5 times as many tasks as one, and of the tasks whose nodes died none
is lost and none is done twice.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.machine import describe_machine
from benchmarks.service_processes import ServiceProcesses
from demo.digits_data import make_digits_project
from tests.cluster.ray_nodes import RayNodes
from tests.cluster.scripted_agent import TASK_S

TARGET_SPEED_UP = 1.5
NODES = 3
TRAINED_IMAGES = 20
KILL_INTERVAL_S = 20.0
READY_TIMEOUT_S = 120.0
TASK_TIMEOUT_S = 300.0
POLL_INTERVAL_S = 0.2


class Plan(NamedTuple):
    """tasks: for each number of workers. seconds: how long a task takes without a training; None for real trainings."""

    tasks: int
    seconds: float | None

    def settings(self, folder: Path, address: str, workers: int, least: int) -> dict[str, str]:
        """For a service whose pool has at most so many workers, and at least `least`."""
        environment = {"TFMODEL_WORKER_KEEP_SPARE": "false", TASK_S: str(self.seconds)}
        sizes = {"min_workers": least, "max_workers": workers, "idle_s": 3.0}
        module = "trainer_worker" if self.seconds is None else "tests.cluster.scripted_agent"
        return {
            "CLUSTER_ADDRESS": address,
            "CLUSTER_NAMESPACE": folder.name,
            "CLUSTER_POOLS": json.dumps([{"name": "cpu", **sizes, "environment": environment}]),
            "CLUSTER_INTERVAL_S": "0.5",
            "CLUSTER_COOL_DOWN_S": "1",
            "CLUSTER_WORKER_COMMAND": f"-m,{module}",
        }


class Bench:
    def __init__(self, service: ServiceProcesses) -> None:
        self._service = service
        self._project = service.projects / "digits"
        make_digits_project(self._project, TRAINED_IMAGES)
        self._posted = 0

    def post(self, count: int) -> set[str]:
        """Post so many tasks. Each has a seed of its own, or the model of an earlier one would be taken over."""
        task_ids = set()
        for _ in range(count):
            self._posted += 1
            task_ids.add(self._service.post(self._project, imageSize=64, seed=self._posted, exports="tflite"))
        return task_ids

    def tasks(self, task_ids: set[str]) -> list[dict[str, Any]]:
        """These tasks as /v1/tasks lists them."""
        found: dict[str, dict[str, Any]] = {}
        path = "/v1/tasks?limit=200"
        while path:
            status, page = self._service.call("GET", path)
            if status != 200:
                return []
            found |= {task["taskId"]: task for task in page["tasks"] if task["taskId"] in task_ids}
            path = f"/v1/tasks?limit=200&cursor={page['next']}" if page["next"] else ""
        return list(found.values())

    def wait_for_all(self, task_ids: set[str]) -> list[dict[str, Any]]:
        """The tasks once all have ended."""
        give_up_at_s = time.monotonic() + TASK_TIMEOUT_S * max(1, len(task_ids) / 10)
        while True:
            tasks = self.tasks(task_ids)
            if len(tasks) == len(task_ids) and all(task["endedAt"] for task in tasks):
                return tasks
            if time.monotonic() > give_up_at_s:
                raise RuntimeError(
                    f"Only {sum(bool(task['endedAt']) for task in tasks)} of {len(task_ids)} have ended."
                )
            time.sleep(POLL_INTERVAL_S)

    def full(self, task_id: str) -> dict[str, Any]:
        return self._service.call("GET", f"/v1/tasks/{task_id}")[1]

    def pool(self) -> dict[str, Any]:
        pools = self._service.call("GET", "/v1/workers")[1].get("pools", [])
        return pools[0] if pools else {}

    def wait_for_pool(self, **counts: int) -> None:
        give_up_at_s = time.monotonic() + TASK_TIMEOUT_S
        while not (pool := self.pool()) or any(pool[name] != count for name, count in counts.items()):
            if time.monotonic() > give_up_at_s:
                raise RuntimeError(f"The pool is not at {counts}: {pool}")
            time.sleep(POLL_INTERVAL_S)

    def wait_for_free(self, count: int) -> None:
        """Until so many workers have loaded TensorFlow and have no task."""
        give_up_at_s = time.monotonic() + READY_TIMEOUT_S * 3
        while True:
            workers = self._service.call("GET", "/v1/workers")[1].get("workers", [])
            if sum(worker["state"] == "free" for worker in workers) == count:
                return
            if time.monotonic() > give_up_at_s:
                raise RuntimeError(f"{count} free workers were expected, but there are {workers}")
            time.sleep(POLL_INTERVAL_S)

    def busy_raylet(self) -> int | None:
        """The raylet of a node whose worker trains now; None if no worker does."""
        workers = self._service.call("GET", "/v1/workers")[1].get("workers", [])
        busy = {worker["name"] for worker in workers if worker["state"] == "training"}
        raylets = []
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "--name" in words and words[words.index("--name") + 1] in busy and "cluster.tied_process" not in words:
                with contextlib.suppress(psutil.Error, KeyError):
                    raylets.append(int(process.environ()["RAY_RAYLET_PID"]))
        return random.choice(raylets) if raylets else None


@contextlib.contextmanager
def cluster(nodes: RayNodes, plan: Plan, workers: int, least: int) -> Iterator[Bench]:
    """A service whose pool has at most so many workers, and at least `least`."""
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcesses(Path(folder), **plan.settings(Path(folder), nodes.address, workers, least))
        with (
            service.program("broker", "-m", "broker"),
            service.program("web", "server.py", "run"),
            service.program("controller", "-m", "cluster", "up"),
        ):
            service.wait_for("/readyz", "ready", READY_TIMEOUT_S)
            bench = Bench(service)
            try:
                yield bench
            finally:
                with service.program("down", "-m", "cluster", "down", "--now") as down:
                    down.wait(TASK_TIMEOUT_S)


def seconds(moment: str) -> float:
    return datetime.datetime.fromisoformat(moment).timestamp()


def start_from_nothing(nodes: RayNodes, plan: Plan) -> None:
    with cluster(nodes, plan, workers=1, least=0) as bench:
        waits = []
        for _ in range(2):
            bench.wait_for_pool(running=0, starting=0)
            (task,) = bench.wait_for_all(bench.post(1))
            waits.append(seconds(task["startedAt"]) - seconds(task["submittedAt"]))
    shown = " and ".join(f"{wait_s:.1f}" for wait_s in waits)
    print(f"\nFrom POST on an empty pool to the start of the training: {shown} s", flush=True)


def work_off(nodes: RayNodes, plan: Plan, workers: int) -> float:
    """Print a row of the table, and return the tasks a minute."""
    with cluster(nodes, plan, workers, least=workers) as bench:
        bench.wait_for_free(workers)
        tasks = bench.wait_for_all(bench.post(plan.tasks))
    failed = [task for task in tasks if task["state"] != "done"]
    if failed:
        raise RuntimeError(f"A task has failed: {failed[0]['error']}")
    waits = sorted(seconds(task["startedAt"]) - seconds(task["submittedAt"]) for task in tasks)
    busy_s = sum(seconds(task["endedAt"]) - seconds(task["startedAt"]) for task in tasks)
    span_s = max(seconds(task["endedAt"]) for task in tasks) - min(seconds(task["submittedAt"]) for task in tasks)
    a_minute = 60 * len(tasks) / span_s
    idle = 1 - busy_s / (workers * span_s)
    slow = waits[min(len(waits) - 1, int(0.99 * len(waits)))]
    print(
        f"| {workers} | {a_minute:.1f} | {busy_s / len(tasks):.1f} | {statistics.median(waits):.0f} | {slow:.0f} "
        f"| {idle:.0%} |",
        flush=True,
    )
    return a_minute


def kill_nodes(nodes: RayNodes, plan: Plan) -> bool:
    """Work the tasks off while nodes die. Returns whether each task was done exactly once."""
    count, killed = plan.tasks, 0
    with cluster(nodes, plan, NODES, least=NODES) as bench:
        bench.wait_for_free(NODES)
        began_s = time.monotonic()
        task_ids = bench.post(count)
        next_kill_s = began_s + KILL_INTERVAL_S / 2
        while not all(task["endedAt"] for task in bench.tasks(task_ids)):
            if time.monotonic() >= next_kill_s and (raylet := bench.busy_raylet()):
                nodes.kill(nodes.node_of(raylet))
                nodes.add()
                killed += 1
                next_kill_s = time.monotonic() + KILL_INTERVAL_S
            time.sleep(POLL_INTERVAL_S)
        took_s = time.monotonic() - began_s
        tasks = [bench.full(task_id) for task_id in task_ids]
        models = [task["modelPath"] for task in tasks if task["state"] == "done"]
        ends = Counter(end["code"] for task in tasks for end in task["endedAttempts"])
        there = all(Path(path).is_file() for path in models) or plan.seconds is not None
        once = len(set(models)) == count and there
    print(
        f"\n{count} tasks, {killed} nodes killed, one every {KILL_INTERVAL_S:.0f} s: {len(models)} done once, "
        f"{count - len(models)} lost or failed, in {took_s:.0f} s. Attempts that ended early: {dict(ends) or 'none'}"
    )
    return once


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=60, help="for each number of workers (default 60)")
    parser.add_argument("--seconds", type=float, help="train nothing; each task takes this long")
    arguments = parser.parse_args()
    plan = Plan(arguments.tasks, arguments.seconds)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    print(describe_machine())
    with RayNodes(NODES) as nodes:
        start_from_nothing(nodes, plan)
        print("\n| workers | tasks a minute | seconds a task | wait p50, s | wait p99, s | idle share |")
        print("|---|---|---|---|---|---|", flush=True)
        speeds = [work_off(nodes, plan, workers) for workers in (1, 2, 3)]
        once = kill_nodes(nodes, plan)
    speed_up = speeds[1] / speeds[0]
    print(f"\nTwo workers beside one: {speed_up:.2f} times as many tasks (target {TARGET_SPEED_UP})")
    print(f"Load at the end: {os.getloadavg()[0]:.1f}")
    return 0 if once and speed_up >= TARGET_SPEED_UP else 1


if __name__ == "__main__":
    sys.exit(main())
