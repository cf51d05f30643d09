"""The real programs for a benchmark: each is a process of its own, on free ports, with all data in one folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from conf.endpoints import Endpoints, connect_endpoints
from conf.settings import ROOT, load
from tests.free_ports import free_ports

PORTS = ("WEB_PORT", "BROKER_WEB_PORT", "BROKER_WORKER_PORT", "BROKER_PUBLISH_PORT", "BROKER_COLLECT_PORT")
END_TIMEOUT_S = 15.0
LOG_LINES = 10


class ServiceProcesses:
    """Ports and environment of one service; `program` starts its parts."""

    def __init__(self, folder: Path, **settings: str) -> None:
        """folder: for journal, photos and logs. settings: TFMODEL_… variables without the prefix."""
        self.folder = folder
        self.projects = folder / "projects"
        self.projects.mkdir()
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        own = {
            **{name: str(port) for name, port in self.ports.items()},
            "WEB_DATA_ROOTS": str(self.projects),
            "HOME": str(folder / "state"),
            "BROKER_JOURNAL": str(folder / "journal.sqlite3"),
            **settings,
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TFMODEL_")}
        self.environ = inherited | {f"TFMODEL_{name}": value for name, value in own.items()}
        # Calls to this machine must not go through a proxy from the environment.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    @property
    def endpoints(self) -> Endpoints:
        """Where the broker is reached."""
        return connect_endpoints(load(self.environ))[0]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports['WEB_PORT']}"

    @contextlib.contextmanager
    def program(self, name: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `python words` while the context lasts. Its log is folder/name.log."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *words], cwd=ROOT, env=self.environ, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def call(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        """Make an HTTP call. Returns the status and the JSON body; status 0 if nobody answers."""
        data = body.encode() if body is not None else None
        request = urllib.request.Request(self.address + path, data, method=method)
        try:
            with self._opener.open(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError as error:
            return 0, {"error": str(error)}

    def post(self, project: Path, **options: int | str) -> str:
        """Post a task for the folder and return its taskId. RuntimeError if it is refused.

        options: fields of the POST. trainType is classification unless it is given.
        """
        fields = {"userId": "u", "projectId": "p", "projectDir": str(project), "trainType": "classification"}
        status, answer = self.call("POST", "/", urlencode({**fields, **options}))
        if status != 200:
            raise RuntimeError(f"POST was answered with {status}: {answer}")
        return str(answer["taskId"])

    def wait_for(self, path: str, wanted: str, timeout_s: float) -> None:
        """Wait until the JSON of `path` has a true value for `wanted`. After timeout_s, RuntimeError with the logs."""
        give_up_at_s = time.monotonic() + timeout_s
        while True:
            _, body = self.call("GET", path)
            if body.get(wanted, False) is not False:
                return
            if time.monotonic() > give_up_at_s:
                raise RuntimeError(f"{path} after {timeout_s:.0f} s: {body}\n{self._last_log_lines()}")
            time.sleep(0.05)

    def wait_for_port(self, port: int, timeout_s: float) -> None:
        """Wait until a program listens there. After timeout_s, RuntimeError with the logs."""
        give_up_at_s = time.monotonic() + timeout_s
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            if time.monotonic() > give_up_at_s:
                raise RuntimeError(f"Nobody listens at {port} after {timeout_s:.0f} s.\n{self._last_log_lines()}")
            time.sleep(0.05)

    def _last_log_lines(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}: {line}" for log in logs for line in log.read_text().splitlines()[-LOG_LINES:])
