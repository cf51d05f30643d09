"""A real broker and a real front-end on free ports, with journal and photos in a temporary folder."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

import msgspec

from conf.curve import FRONT_END, ClientKeys, local_client_keys
from conf.endpoints import Endpoints, connect_endpoints
from conf.settings import ROOT, Settings, load
from conf.socket_folder import socket_folder
from tests.free_ports import free_ports
from tests.waiting import TIMEOUT_S, wait_until

PORT_SETTINGS = ("WEB_PORT", "BROKER_WEB_PORT", "BROKER_WORKER_PORT", "BROKER_PUBLISH_PORT", "BROKER_COLLECT_PORT")
FORM_HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}
#: A scripted worker sends heartbeats only where its test says so. On a busy machine the next line of a test may come
#: seconds later.
PATIENT_SETTINGS = {"BROKER_LEASE_TTL_S": TIMEOUT_S, "WEB_REQUEST_TIMEOUT_S": 30.0}
COMMANDS = {"broker": ["-m", "broker"], "web": ["server.py", "run"]}


class Answer(msgspec.Struct, frozen=True):
    """What an HTTP call was answered; headers by their names in small letters; body: the JSON object."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


class Programs:
    """Use as a context manager: both programs run inside, and neither after it."""

    def __init__(self, folder: Path, start: bool = True, **settings: object) -> None:
        """start: both programs at once; settings: TFMODEL_ variables without their prefix, as WEB_PORT=2333."""
        self.folder = folder
        self._start_both = start
        self.journal = folder / "journal.sqlite3"
        self.projects = folder / "projects"
        (self.projects / "anna" / "flowers").mkdir(parents=True)
        self.ports = dict(zip(PORT_SETTINGS, free_ports(len(PORT_SETTINGS)), strict=True))
        values = {
            "HOME": folder / "state",
            "BROKER_JOURNAL": self.journal,
            "WEB_DATA_ROOTS": self.projects,
            "WEB_MIN_FREE_MB": 1,
            **PATIENT_SETTINGS,
            **self.ports,
            **settings,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TFMODEL_")}
        self.environ = inherited | {f"TFMODEL_{name}": str(value) for name, value in values.items()}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def settings(self) -> Settings:
        """As the programs read them."""
        return load(self.environ)

    @property
    def endpoints(self) -> Endpoints:
        """Where the broker is reached."""
        return connect_endpoints(self.settings)[0]

    @property
    def front_end_keys(self) -> ClientKeys | None:
        """None at Unix sockets."""
        return local_client_keys(self.settings, FRONT_END)

    def __enter__(self) -> Programs:
        if not self._start_both:
            return self
        try:
            self.start("broker")
            self.start("web")
            self.wait_synced()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._processes):
            self.kill(name)
        sockets = socket_folder(Path(self.environ["TFMODEL_HOME"]).resolve() / "run")
        if not sockets.is_relative_to(self.folder):  # The test's folder lies too deep for sockets.
            shutil.rmtree(sockets, ignore_errors=True)

    # ---- programs ----

    def start(self, name: str) -> None:
        """Start "broker" or "web"; it writes its log to the folder."""
        self._start(name, name, self.environ)

    def _start(self, name: str, command: str, environ: dict[str, str]) -> None:
        """command: one of COMMANDS."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *COMMANDS[command]], cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stderr=log
            )

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL, with no chance to tidy up."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def stop(self, name: str, number: signal.Signals) -> int:
        """Ask it to end; returns its exit code."""
        self._processes[name].send_signal(number)
        return self.wait_for_exit(name)

    def wait_for_exit(self, name: str) -> int:
        """The exit code of a program that ends by itself."""
        process = self._processes.pop(name)
        try:
            return process.wait(TIMEOUT_S)
        finally:
            process.kill()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`python …` with the same settings, to its end."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def make_token(self, *words: str) -> dict[str, str]:
        """`token create` with these words. Returns the headers of a call that is made with the token."""
        done = self.run("server.py", "token", "create", *words)
        assert done.returncode == 0, done.stderr
        return {"Authorization": f"Bearer {done.stdout.strip()}"}

    def log_of(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait_synced(self) -> None:
        """Until the front-end knows the broker's tasks: the only thing missing may be a worker."""
        wait_until(self._is_synced, f"a front-end in step with the broker; log:\n{self._logs()}")

    def _logs(self) -> str:
        return "\n".join(self.log_of(name) for name in self._processes)

    def _is_synced(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, f"the {name} has died:\n{self.log_of(name)}"
        try:
            answer = self.get("/readyz")
        except OSError:
            return False
        words = str(answer.body.get("error", ""))
        return "broker" not in words and "cache" not in words

    # ---- calls ----

    def call(self, method: str, path: str, body: bytes | None = None, sent: dict[str, str] | None = None) -> Answer:
        """One HTTP call on a connection of its own; every answer must be a JSON object."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["WEB_PORT"], timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, sent or {})
            response = connection.getresponse()
            text = response.read()
            assert response.headers["Content-Type"] == "application/json", (response.status, text)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, json.loads(text))
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, sent=headers)

    def task(self, task_id: str) -> Answer:
        return self.get(f"/?taskId={task_id}")

    def post(self, headers: dict[str, str] | None = None, **changes: str | None) -> Answer:
        """A good task with these fields changed; None leaves a field out."""
        fields = {"userId": "anna", "projectId": "flowers", "projectDir": "anna/flowers", "trainType": "classification"}
        given = {name: value for name, value in {**fields, **changes}.items() if value is not None}
        return self.call("POST", "/", urllib.parse.urlencode(given).encode(), {**FORM_HEADERS, **(headers or {})})

    def post_id(self, **changes: str | None) -> str:
        """The taskId of a good task."""
        answer = self.post(None, **changes)
        assert answer.status == 200, answer
        return str(answer.body["taskId"])
