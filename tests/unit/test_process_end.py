"""A process has ended when it runs no more, whether or not its parent has asked for its exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from conf.process_end import wait_for_end
from service.orphans import end_orphans
from service.supervisor_client import SupervisorClient
from tests.waiting import TIMEOUT_S

#: A parent that never asks, as process 1 of many containers. The child waits for its input to end.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
"""


@pytest.fixture
def child() -> Iterator[psutil.Process]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=pipe, stdout=pipe, text=True) as parent:
        assert parent.stdout is not None
        yield psutil.Process(int(parent.stdout.readline()))
        parent.communicate()


def test_a_zombie_has_ended(child: psutil.Process) -> None:
    child.kill()
    assert wait_for_end([child], TIMEOUT_S) == []
    assert child.status() == psutil.STATUS_ZOMBIE


def test_what_still_runs_is_returned(child: psutil.Process) -> None:
    assert wait_for_end([child], timeout_s=0) == [child]


def test_orphans_and_supervisord_are_not_waited_for_once_they_have_ended(
    child: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_orphans([child], TIMEOUT_S)
    assert child.status() == psutil.STATUS_ZOMBIE
    monkeypatch.setattr(SupervisorClient, "pid", lambda _: child.pid)
    monkeypatch.setattr(SupervisorClient, "_call", lambda *_: True)
    assert SupervisorClient(Path("/nowhere")).shutdown(timeout_s=0.1)
