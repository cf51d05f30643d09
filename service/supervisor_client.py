"""Start supervisord, ask it about its programs over its socket, and stop it."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil
from supervisor.xmlrpc import SupervisorTransport

from conf.process_end import is_running, wait_for_end
from conf.settings import ROOT
from service.supervisor_config import socket_of

#: supervisord comes up in a second, and on a very busy machine in half a minute.
SPAWN_TIMEOUT_S = 60.0


class ProgramInfo(msgspec.Struct, frozen=True):
    """One program as supervisord sees it. state: RUNNING, STARTING, BACKOFF, FATAL, STOPPED …"""

    name: str
    state: str
    pid: int
    description: str
    log: Path

    @property
    def is_dead(self) -> bool:
        return self.state in ("BACKOFF", "FATAL", "EXITED", "UNKNOWN")


class SupervisorError(Exception):
    """supervisord cannot be started or does not answer. The message says why."""


class SupervisorClient:
    """Talks to the supervisord of the service whose state folder is `home`."""

    def __init__(self, home: Path) -> None:
        self.socket = socket_of(home)
        self._log = home / "log" / "supervisord.log"

    def _call(self, method: str) -> Any:
        """Make one call over a new connection, because supervisor's transport does not recover from a failed call."""
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        try:
            proxy: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)()
        except (OSError, xmlrpc.client.Error, http.client.HTTPException) as error:
            raise SupervisorError(f"supervisord does not answer at {self.socket}: {error}") from error
        finally:
            transport.close()

    def pid(self) -> int | None:
        """The process id of the running supervisord. None if there is none."""
        try:
            return int(self._call("getPID"))
        except SupervisorError:
            return None

    def programs(self) -> list[ProgramInfo]:
        """All programs, in the order in which they are started. Empty if supervisord does not answer."""
        try:
            rows = self._call("getAllProcessInfo")
        except SupervisorError:
            return []
        return [
            ProgramInfo(row["name"], row["statename"], row["pid"], row["description"], Path(row["stdout_logfile"]))
            for row in rows
        ]

    def spawn(self, config: Path, environ: Mapping[str, str]) -> None:
        """Start supervisord in the background. Raises SupervisorError if it does not come up."""
        try:
            done = subprocess.run(
                supervisord_command(config),
                cwd=ROOT,
                env=supervisord_environment(environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=SPAWN_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise SupervisorError(
                f"supervisord did not start within {SPAWN_TIMEOUT_S:g} s; see {self._log}."
            ) from error
        if done.returncode != 0:
            raise SupervisorError(f"supervisord did not start: {(done.stderr or done.stdout).strip()}")
        give_up_at_s = time.monotonic() + SPAWN_TIMEOUT_S
        while self.pid() is None:
            if time.monotonic() > give_up_at_s:
                raise SupervisorError(f"supervisord does not answer at {self.socket}; see {self._log}.")
            time.sleep(0.05)

    def start_all(self) -> None:
        """Start the programs that are not running. Raises SupervisorError if supervisord does not answer."""
        self._call("startAllProcesses")

    def shutdown(self, timeout_s: float) -> bool:
        """Stop all programs and supervisord. Returns whether supervisord has ended within `timeout_s`."""
        pid = self.pid()
        if pid is None:
            return True
        try:
            process = psutil.Process(pid)
            self._call("shutdown")
        except psutil.NoSuchProcess:
            return True
        except SupervisorError:
            return not is_running(process)
        return not wait_for_end([process], timeout_s)


def supervisord_command(config: Path) -> list[str]:
    return [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)]


def supervisord_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` with this Python first in PATH: supervisord.conf starts the programs with `python3`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", "")])
    return {**environ, "PATH": path}
