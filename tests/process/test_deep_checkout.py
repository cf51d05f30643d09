"""A checkout so deep that no Unix socket can be bound in it: supervisord's socket lies elsewhere, all else as ever."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from conf.socket_folder import socket_folder
from tests.process.service_under_test import NOT_SOURCE, REPOSITORY, ServiceUnderTest


@pytest.mark.door(10)
def test_it_starts_and_stops(cache_dir: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tfm-") as folder:
        root = Path(folder).resolve() / ("deep" * 30)
        shutil.copytree(REPOSITORY, root, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        service = ServiceUnderTest(root, {"WORKER_KEEP_SPARE": "false", "WORKER_CACHE_DIR": cache_dir})
        sockets = socket_folder(root / "run")
        assert sockets != root / "run"
        try:
            done = service.command("start")
            assert done.returncode == 0, done.stdout + done.stderr
            assert service.command("status").returncode == 0
            config = str(root / "run" / "supervisord.conf")
            done = service.program("-m", "supervisor.supervisorctl", "-c", config, "status")
            assert done.stdout.count("RUNNING") == 3, done.stdout
            assert service.command("stop").returncode == 0
            assert service.processes() == []
        finally:
            service.end()
            shutil.rmtree(sockets, ignore_errors=True)
