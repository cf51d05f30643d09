"""The controller of a cluster as a process of its own, and what the broker says of its pools and tasks."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import psutil

from conf.settings import ROOT
from protocol import messages as m
from protocol.task import Task, TaskState
from tests.sample_tasks import hex_id, make_spec
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.waiting import TIMEOUT_S, wait_until

AGENT = "tests.cluster.scripted_agent"
POOL = {"name": "cpu", "max_workers": 2, "idle_s": 1.0}


def cluster_settings(address: str, *pools: dict[str, Any]) -> dict[str, object]:
    """For Programs: quick decisions, and scripted agents as workers."""
    return {
        "CLUSTER_ADDRESS": address,
        "CLUSTER_POOLS": json.dumps([{**POOL, **pool} for pool in pools]),
        "CLUSTER_INTERVAL_S": 0.2,
        "CLUSTER_COOL_DOWN_S": 0.1,
        "CLUSTER_FIRST_BACKOFF_S": 0.2,
        "CLUSTER_WORKER_COMMAND": f"-m,{AGENT}",
    }


class ControllerProcess:
    """Use as a context manager: `python -m cluster up` runs inside, and neither it nor an agent does after it."""

    def __init__(self, programs: Programs, front_end: ScriptedFrontEnd) -> None:
        self.programs = programs
        self._front_end = front_end
        self._process: subprocess.Popen[bytes] | None = None
        self._log = programs.folder / "controller.log"

    def __enter__(self) -> ControllerProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        for pid in self.agents().values():
            psutil.Process(pid).kill()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cluster", "up"],
                cwd=ROOT,
                env=self.programs.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.programs.run("-m", "cluster", *words)

    def terminate(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(TIMEOUT_S)

    def wait_for_end(self) -> int:
        assert self._process is not None
        return self._process.wait(TIMEOUT_S)

    @property
    def log(self) -> str:
        return self._log.read_text()

    # ---- what the broker says ----

    def pools(self) -> tuple[m.PoolInfo, ...]:
        """() before the first report."""
        return self._front_end.ask(m.Workers, m.WorkersWanted).pools

    def pool(self) -> m.PoolInfo | None:
        """The first pool."""
        return next(iter(self.pools()), None)

    def workers(self) -> dict[str, m.WorkerInfo]:
        return {info.worker: info for info in self._front_end.ask(m.Workers, m.WorkersWanted).workers}

    def submit(self, name: str, project: str = "endless", **options: Any) -> str:
        path = str(self.programs.projects / "anna" / "flowers")
        spec = make_spec(hex_id(name), project_path=path, project_id=project, options=options)
        self._front_end.ask(m.TaskReply, lambda number: m.Submit(number, spec))
        return spec.task_id

    def task(self, task_id: str) -> Task:
        return self._front_end.ask(m.TaskReply, lambda number: m.Lookup(number, task_id)).task

    def finish(self, task_id: str) -> None:
        self._front_end.ask(m.TaskReply, lambda number: m.StopEarly(number, task_id))

    def wait_for_state(self, task_id: str, state: TaskState) -> None:
        wait_until(
            lambda: self.task(task_id).state is state,
            f"{state} of a task; pool: {self.pool()}; workers: {self.workers()}; log:\n{self.log[-2000:]}",
        )

    def wait_for_attempt(self, task_id: str, attempt: int) -> None:
        """Until a worker trains this attempt."""
        wait_until(
            lambda: (task := self.task(task_id)).attempt == attempt and task.state is TaskState.PROCESSING,
            f"attempt {attempt} of the task; pool: {self.pool()}; workers: {self.workers()}",
        )

    def wait_for_reason(self, words: str) -> None:
        """Until a pool gives these words as the reason for its size."""
        seen: list[str] = []

        def look() -> bool:
            seen[:] = [pool.reason for pool in self.pools()]
            return any(words in reason for reason in seen)

        wait_until(look, f"a pool that says {words!r}")

    def wait_for_busy(self, count: int) -> set[str]:
        """The names of the workers that train, once there are that many."""
        wait_until(lambda: len(self._busy()) == count, f"{count} busy workers; pool: {self.pool()}")
        return self._busy()

    def _busy(self) -> set[str]:
        return {name for name, info in self.workers().items() if info.holds}

    def wait_for_pool(self, **counts: int) -> m.PoolInfo:
        """The first pool, once it has these counts."""
        seen: list[m.PoolInfo] = []

        def look() -> bool:
            seen[:] = self.pools()[:1]
            return bool(seen) and all(getattr(seen[0], name) == count for name, count in counts.items())

        wait_until(look, f"a pool with {counts}; at first: {self.pool()}")
        return seen[0]

    # ---- processes ----

    def agents(self) -> dict[str, int]:
        """The processes of all agents of this test, by their names."""
        found = {}
        for process in psutil.process_iter(["cmdline", "pid"]):
            words = process.info["cmdline"] or []
            if AGENT in words and "cluster.tied_process" not in words and self._is_ours(process):
                found[words[words.index("--name") + 1]] = process.info["pid"]
        return found

    def raylet_of(self, worker: str) -> int:
        """The process of Ray that keeps the node where the worker runs, as Ray tells the node's processes."""
        return int(psutil.Process(self.agents()[worker]).environ()["RAY_RAYLET_PID"])

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("TFMODEL_WORKER_DATA_ROOTS") == str(self.programs.projects)
        except psutil.Error:
            return False
