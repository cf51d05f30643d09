"""Starts workers at the far end of a cable, by what `python server.py join-command` says."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from conf.settings import ROOT
from tests.cable import Cable
from tests.socket.programs import Programs
from tests.waiting import TIMEOUT_S, wait_until


class FarWorker:
    """Use as a context manager. It is killed at the end, without a chance to say goodbye."""

    def __init__(self, cable: Cable, programs: Programs, name: str = "far", **more: str) -> None:
        """more: further variables of its environment."""
        self.name = name
        self._programs = programs
        done = programs.run("server.py", "join-command", "--json")
        assert done.returncode == 0, done.stderr
        words = shlex.split(json.loads(done.stdout)["command"])
        joining = dict(word.split("=", 1) for word in words if "=" in word)
        environ = {**_inherited(programs.environ), **joining, **more, "TFMODEL_HOME": str(programs.folder / name)}
        command = [sys.executable, "-m", "tests.network.remote_worker", "--name", name]
        self.log = programs.folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                cable.inside(*command), cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stderr=log, stdout=log
            )

    def __enter__(self) -> FarWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def info(self) -> dict[str, Any]:
        """What GET /v1/workers says about it; {} if it is not registered."""
        workers = self._programs.get("/v1/workers").body.get("workers", [])
        return next((worker for worker in workers if worker["name"] == self.name), {})

    def wait_ready(self) -> FarWorker:
        wait_until(lambda: self.info().get("ready"), f"a worker that is ready; log:\n{self.log.read_text()}")
        return self

    def wait_for_line(self, text: str) -> None:
        wait_until(lambda: text in self.log.read_text(), f"{text!r} in the log of the worker")

    def wait_for_exit(self) -> int:
        return self.process.wait(TIMEOUT_S)


def _inherited(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("TFMODEL_")}
