"""A worker over 200 tasks: its memory, how soon it starts a task, and how soon it obeys a cancel.

    python -m benchmarks.worker_life                          as shipped, about 15 minutes
    python -m benchmarks.worker_life --tasks-per-process 1000   with one trainer process for all of them

Targets: after the last tasks the worker has at most 15 % more memory than after the fifth, and starts as fast. A
running task is cancelled within a second if it is at a batch, and within 15 s at the latest. The processes are real,
and so are the trainings (40 digits). Memory is that of the whole worker (agent, trainer process, spare, scoring) while
it is free. Shared pages are counted once (PSS).
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import zmq

from benchmarks.api import next_publication, wait_until_free
from benchmarks.machine import describe_machine
from benchmarks.service_processes import ServiceProcesses
from demo.digits_data import make_digits_project
from protocol import messages as m
from trainer_worker.training.pace import LEAST_TASKS

TARGET_GROWTH = 1.15
#: The most seconds that a cancel may take. A training obeys at its next batch; in an export, one long call into
#: TensorFlow may have to end first.
TARGET_CANCEL_S = {"train": 1.0, "export": 15.0}
FIRST_TASKS, LAST_TASKS = 5, 20
TRAINED_IMAGES = 40
READY_TIMEOUT_S = 90.0
END_TIMEOUT_S = 120.0
#: Unique, because on one machine a name belongs to one process.
WORKER_NAME = f"worker-life-{os.getpid()}"


class Bench:
    def __init__(self, service: ServiceProcesses, publications: zmq.Socket[bytes]) -> None:
        self.service = service
        self.publications = publications
        self.project = service.projects / "digits"
        make_digits_project(self.project, TRAINED_IMAGES)
        self._seeds = itertools.count(1)

    def start(self, **options: int) -> tuple[str, float]:
        """Post to the free worker. Returns the taskId, and milliseconds until the trainer process has the task."""
        wait_until_free(self.publications)
        # Another seed each time, or the model of the same folder and options would be reused.
        seed = next(self._seeds)
        began_s = time.perf_counter()
        task_id = self.service.post(self.project, imageSize=64, seed=seed, exports="tflite", **options)
        while True:
            at_s, message = next_publication(self.publications)
            if isinstance(message, m.Progress) and message.task_id == task_id:
                return task_id, (at_s - began_s) * 1000

    def wait_for_end(self, task_id: str, state: str) -> bool:
        """Wait until the task ends. Returns whether the first range that the training gave held the real end."""
        give_up_at_s = time.monotonic() + END_TIMEOUT_S
        end_range_s: tuple[float, float] | None = None
        while (task := self._task(task_id))["state"] in ("pending", "processing"):
            now_s = time.monotonic()
            if end_range_s is None and task["etaRangeSeconds"] and task["phase"] not in ("", "starting"):
                low_s, high_s = task["etaRangeSeconds"]
                end_range_s = now_s + low_s, now_s + high_s
            if now_s > give_up_at_s:
                raise RuntimeError(f"The task did not end: {task}")
            time.sleep(0.02)
        if task["state"] != state:
            raise RuntimeError(f"The task should be {state}: {task}")
        return end_range_s is not None and end_range_s[0] <= time.monotonic() <= end_range_s[1]

    def wait_for_phase(self, task_id: str, phase: str) -> None:
        give_up_at_s = time.monotonic() + END_TIMEOUT_S
        while (task := self._task(task_id))["phase"] != phase:
            if time.monotonic() > give_up_at_s or task["state"] not in ("pending", "processing"):
                raise RuntimeError(f"The task was never seen in {phase}: {task}")
            time.sleep(0.005)

    def worker_mb(self) -> float:
        """The memory of the worker and its children in MB (PSS)."""
        for process in psutil.process_iter(["cmdline"]):
            if WORKER_NAME in (process.info["cmdline"] or ()):
                tree = [process, *process.children(recursive=True)]
                return sum(_pss_mb(one) for one in tree)
        raise RuntimeError("The worker is gone.")

    def _task(self, task_id: str) -> dict[str, Any]:
        return self.service.call("GET", f"/v1/tasks/{task_id}")[1]


def _pss_mb(process: psutil.Process) -> float:
    memory = process.memory_full_info()
    return float(getattr(memory, "pss", memory.uss)) / 2**20


def measure_life(bench: Bench, tasks: int) -> None:
    """Measure and print a row for the first tasks and one for the last."""
    starts_ms, memory_mb, inside = [], [], []
    began_s = time.monotonic()
    for number in range(tasks):
        task_id, start_ms = bench.start(epochs=2)
        inside.append(bench.wait_for_end(task_id, "done"))
        wait_until_free(bench.publications)
        starts_ms.append(start_ms)
        memory_mb.append(bench.worker_mb())
        if (number + 1) % 20 == 0:
            print(f"  {number + 1} tasks, {memory_mb[-1]:.0f} MB", flush=True)
    print(f"\n{tasks} tasks, {(time.monotonic() - began_s) / tasks:.1f} s each\n")
    last = slice(-LAST_TASKS, None)
    growth = max(memory_mb[last]) / memory_mb[FIRST_TASKS - 1]
    first_label = f"after {FIRST_TASKS} tasks (start: first {LAST_TASKS})"
    last_label = f"last {LAST_TASKS} tasks (memory: most)"
    rows = (
        (first_label, memory_mb[FIRST_TASKS - 1], statistics.median(starts_ms[:LAST_TASKS])),
        (last_label, max(memory_mb[last]), statistics.median(starts_ms[last])),
    )
    print(f"{'':<34}{'memory MB':>12}{'start ms, median':>20}")
    for label, mb, start_ms in rows:
        print(f"{label:<34}{mb:>12.0f}{start_ms:>20.1f}")
    learned = inside[LEAST_TASKS:]
    print(f"the training's first ETA range held the real end in {sum(learned)} of {len(learned)} tasks, target 8 in 10")
    print(f"memory {growth:.2f} of the fifth task's, target at most {TARGET_GROWTH}")


def measure_cancels(bench: Bench, cancels: int) -> None:
    """Measure the time from DELETE until the task is cancelled, at random moments of the two longest phases."""
    chosen = random.Random(1)
    print()
    for phase, target_s in TARGET_CANCEL_S.items():
        took_s = []
        for _ in range(cancels):
            task_id, _ = bench.start(epochs=1000 if phase == "train" else 1)
            bench.wait_for_phase(task_id, phase)
            time.sleep(chosen.uniform(0.0, 0.2))
            began_s = time.perf_counter()
            if bench.service.call("DELETE", f"/v1/tasks/{task_id}")[0] == 409:
                continue  # The task had ended before the cancel arrived.
            bench.wait_for_end(task_id, "cancelled")
            took_s.append(time.perf_counter() - began_s)
        if took_s:
            row = f"p50 {statistics.median(took_s):.2f} s, slowest {max(took_s):.2f} s"
            print(f"cancelled in phase {phase:<9} {len(took_s)} times: {row}, target {target_s:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--tasks-per-process", type=int, help="the default setting if not given")
    parser.add_argument("--cancels", type=int, default=10, help="in each phase")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = {"WORKER_KEEP_MODELS": "3", "WORKER_CACHE_DIR": f"{folder}/cache"}
        if arguments.tasks_per_process:
            settings["WORKER_TASKS_PER_PROCESS"] = str(arguments.tasks_per_process)
        service = ServiceProcesses(Path(folder), **settings)
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        publications = context.socket(zmq.SUB)
        publications.subscribe(b"")
        publications.connect(service.endpoints.publish)
        print(describe_machine())
        try:
            with (
                service.program("broker", "-m", "broker"),
                service.program("web", "server.py", "run"),
                service.program("worker", "-m", "trainer_worker", "--name", WORKER_NAME),
            ):
                service.wait_for("/readyz", "ready", READY_TIMEOUT_S)
                bench = Bench(service, publications)
                measure_life(bench, arguments.tasks)
                measure_cancels(bench, arguments.cancels)
        finally:
            context.destroy(linger=0)


if __name__ == "__main__":
    main()
