"""A real service in a folder of its own: a copy of the source tree, free ports, the Python that runs the tests.

Every process that it starts inherits MARKER in its environment, so that whatever it leaves behind is found,
whoever its parent is by then.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

from service.service_commands import START_TIMEOUT_S, STOP_TIMEOUT_S
from service.supervisor_client import ProgramInfo, SupervisorClient
from tests.free_ports import free_ports

REPOSITORY = Path(__file__).resolve().parents[2]
#: What lies in a working copy beside source and its bytecode. The last are files that Python is just writing.
NOT_SOURCE = (".*", "log", "run", "var", "projects", "tests", "node_modules", "*.pyc.*")
PORTS = ("WEB_PORT", "BROKER_WEB_PORT", "BROKER_WORKER_PORT", "BROKER_PUBLISH_PORT", "BROKER_COLLECT_PORT")
MARKER = "SERVICE_UNDER_TEST"
#: Longer than `start` and `stop` wait at most.
COMMAND_TIMEOUT_S = START_TIMEOUT_S + STOP_TIMEOUT_S + 60.0
#: What is waited for takes seconds on a quiet machine. Only what hangs takes as long as this on a busy one.
PATIENCE_S = 300.0
POLL_INTERVAL_S = 0.1

T = TypeVar("T")


class Answer(NamedTuple):
    """An HTTP answer; status 0 when nobody answers."""

    status: int
    body: dict[str, Any]


class ServiceUnderTest:
    def __init__(self, root: Path, settings: dict[str, str], as_user: Sequence[str] = ()) -> None:
        """root: the code; settings: TFMODEL_… variables without their prefix, HOME for another state folder.

        as_user: what stands in front of a command that another user is to run, as setpriv and its options.
        """
        self.root = root
        self.home = Path(settings.get("HOME", root))
        self._as_user = tuple(as_user)
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._mark = uuid.uuid4().hex
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TFMODEL_")}
        chosen = {name: str(port) for name, port in self.ports.items()} | settings
        self.environ = inherited | {f"TFMODEL_{name}": value for name, value in chosen.items()} | {MARKER: self._mark}

    @property
    def projects(self) -> Path:
        return self.home / "projects"

    # ---- commands ----

    def command(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """`python server.py …`, to its end. settings: TFMODEL_… variables for this call, without the prefix."""
        return self._run("server.py", *words, environ={f"TFMODEL_{name}": value for name, value in settings.items()})

    def program(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`python …` in the code's folder, with the service's settings."""
        return self._run(*words, environ={})

    def supervisorctl(self, *words: str) -> str:
        done = self._run(
            "-m", "supervisor.supervisorctl", "-c", str(self.home / "supervisord.conf"), *words, environ={}
        )
        assert done.returncode == 0, f"supervisorctl {words}: {done.stdout}{done.stderr}"
        return done.stdout

    def spawn_worker(self, name: str) -> subprocess.Popen[str]:
        """`python -m trainer_worker --name NAME`, beside the supervised ones and without a spare; its log is piped."""
        return subprocess.Popen(
            [sys.executable, "-m", "trainer_worker", "--name", name],
            cwd=self.root,
            env=self.environ | {"TFMODEL_WORKER_KEEP_SPARE": "false"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _run(self, *words: str, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._as_user, sys.executable, *words],
            cwd=self.root,
            env=self.environ | environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    # ---- HTTP ----

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['WEB_PORT']}"

    def call(
        self, method: str, path: str, form: dict[str, str] | None = None, sent: dict[str, str] | None = None
    ) -> Answer:
        """sent: headers."""
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        request = urllib.request.Request(self.address + path, data=data, method=method, headers=sent or {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return Answer(answer.status, json.load(answer))
        except urllib.error.HTTPError as error:
            return Answer(error.code, json.load(error))
        except OSError as error:
            return Answer(0, {"error": repr(error)})

    def post(self, project_dir: Path | str, train_type: str, sent: dict[str, str] | None = None, **options: Any) -> str:
        """The taskId of a new task. sent: headers."""
        fields = {"userId": "u1", "projectId": "p1", "projectDir": str(project_dir), "trainType": train_type}
        answer = self.call("POST", "/", fields | {name: str(value) for name, value in options.items()}, sent)
        assert answer.status == 200, answer
        return str(answer.body["taskId"])

    def task(self, task_id: str) -> dict[str, Any]:
        return self.call("GET", f"/v1/tasks/{task_id}").body

    # ---- waiting ----

    def wait_for_task(self, task_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The task as soon as it is as wanted; a task that ends otherwise fails the test at once."""
        ended = ("done", "failed", "cancelled")

        def look() -> dict[str, Any]:
            return self.task(task_id)

        task = wait_until(look, lambda t: wanted(t) or t.get("state") in ended, self.last_log_lines)
        assert wanted(task), f"the task ended otherwise: {task}\n{self.last_log_lines()}"
        return task

    def wait_for_phase(self, task_id: str, *phases: str) -> dict[str, Any]:
        return self.wait_for_task(task_id, lambda task: task.get("phase") in phases)

    def wait_for_end(self, task_id: str, state: str = "done") -> dict[str, Any]:
        return self.wait_for_task(task_id, lambda task: task.get("state") == state)

    def wait_until_free(self, workers: int = 1) -> None:
        """Until so many workers are registered and all of them could start a task at once."""
        wait_until(
            lambda: self.call("GET", "/readyz"),
            lambda answer: answer.body.get("workers") == answer.body.get("freeWorkers") == workers,
            self.last_log_lines,
        )

    def wait_for_spare(self) -> None:
        """Until the supervised worker has two trainer processes with TensorFlow loaded."""
        wait_until(self._ready_trainers, lambda ready: len(ready) == 2, self.last_log_lines)

    # ---- processes ----

    def processes(self) -> list[psutil.Process]:
        """Everything alive that this service has started, or that works in its folder."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def program_info(self, program: str) -> ProgramInfo:
        """What supervisord says of a program, by its socket: a supervisorctl would be a process for each look."""
        programs = {info.name: info for info in SupervisorClient(self.home).programs()}
        return programs[program.rpartition(":")[2]]

    def pid_of(self, program: str) -> int:
        """Process id of a supervised program; the test fails when it does not run."""
        info = self.program_info(program)
        assert info.pid > 0, info
        return info.pid

    def trainers_of(self, agent_pid: int) -> list[psutil.Process]:
        """The trainer processes of an agent, oldest first: the oldest is the one that trains."""
        children = psutil.Process(agent_pid).children()
        trainers = [c for c in children if is_alive(c) and "trainer_worker.training.child" in words_of(c)]
        return sorted(trainers, key=psutil.Process.create_time)

    def log(self, name: str) -> str:
        path = self.home / "log" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def last_log_lines(self) -> str:
        logs = sorted((self.home / "log").glob("*.log"))
        return "\n".join(f"--- {path.name}\n" + "\n".join(self.log(path.stem).splitlines()[-15:]) for path in logs)

    def _ready_trainers(self) -> list[int]:
        """Of the running agent: the trainer processes that it calls ready and that live."""
        lines = self.log("trainer_worker_0").rpartition("action=worker.started")[2].splitlines()
        pids = {_value(line, "number"): int(_value(line, "pid")) for line in lines if "action=trainer.spawned" in line}
        ready = [pids[_value(line, "number")] for line in lines if "action=trainer.ready" in line]
        living = {process.pid for process in psutil.process_iter() if is_alive(process)}
        return [pid for pid in ready if pid in living]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            if not is_alive(process):
                return False
            return process.environ().get(MARKER) == self._mark or Path(process.cwd()).is_relative_to(self.root)
        except (psutil.Error, OSError):
            return False

    def end(self) -> None:
        """Whatever a failed test has left: stop it, then kill what is left of it."""
        if self.processes():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.command("stop")
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@contextlib.contextmanager
def service_copy(**settings: str) -> Iterator[ServiceUnderTest]:
    """A service that is not started yet; ended and removed on leaving. Its path is short, for the Unix socket."""
    with tempfile.TemporaryDirectory(prefix="tfm-") as folder:
        root = Path(folder).resolve() / "s"
        shutil.copytree(REPOSITORY, root, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        service = ServiceUnderTest(root, settings)
        service.projects.mkdir()
        try:
            yield service
        finally:
            service.end()


def wait_until(look: Callable[[], T], wanted: Callable[[T], bool], explain: Callable[[], str] = str) -> T:
    """What `look` gives as soon as it is as wanted; AssertionError with what was last seen after PATIENCE_S."""
    give_up_at_s = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if wanted(seen):
            return seen
        if time.monotonic() > give_up_at_s:
            raise AssertionError(f"not within {PATIENCE_S:.0f} s; last seen: {seen}\n{explain()}")
        pause()


def pause(seconds: float = POLL_INTERVAL_S) -> None:
    """Between two looks."""
    threading.Event().wait(seconds)


def is_alive(process: psutil.Process) -> bool:
    """A zombie is not: it only waits for its parent to ask."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(processes: list[psutil.Process]) -> None:
    wait_until(lambda: [p for p in processes if is_alive(p)], lambda alive: not alive)


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; empty if it has ended a moment ago."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _value(line: str, key: str) -> str:
    return line.partition(f"{key}=")[2].split()[0]
