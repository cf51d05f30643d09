"""What a killed supervisord leaves behind is found and ended, and nothing else is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.orphans import end_orphans, find_orphans
from tests.waiting import TIMEOUT_S

#: A program with a child of its own, both waiting for their input to end.
PROGRAM = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print("ready", flush=True)
input()
"""


@pytest.fixture
def start() -> Iterator[object]:
    running: list[subprocess.Popen[str]] = []

    def run(socket: Path) -> subprocess.Popen[str]:
        environment = {**os.environ, "SUPERVISOR_SERVER_URL": f"unix://{socket}"}
        command = [sys.executable, "-c", PROGRAM]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def test_only_the_programs_of_that_supervisord_are_found_and_ended(start: object, tmp_path: Path) -> None:
    assert callable(start)
    ours, theirs = start(tmp_path / "ours.sock"), start(tmp_path / "theirs.sock")
    orphans = find_orphans(tmp_path / "ours.sock")
    assert [process.pid for process in orphans] == [ours.pid]
    end_orphans(orphans, timeout_s=TIMEOUT_S)
    assert ours.poll() is not None
    assert theirs.poll() is None
    assert [process.pid for process in find_orphans(tmp_path / "theirs.sock")] == [theirs.pid]
