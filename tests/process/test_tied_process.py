"""What an actor has started ends with it, however it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from cluster.tied_process import END_TIMEOUT_S, RAYLET_VARIABLE, Tie
from conf.process_end import wait_for_end
from conf.settings import ROOT
from tests.waiting import TIMEOUT_S, wait_until

#: Stands for a worker: it notes that it has begun, and that it was told to end.
WORKER = """
import pathlib, signal, sys
folder = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: ((folder / "told").touch(), sys.exit(3)))
(folder / "began").write_text(str(__import__("os").getpid()))
signal.pause()
"""
#: Stands for an actor: it starts the worker and waits.
ACTOR = """
import os, subprocess, sys
words = [sys.executable, "-m", "cluster.tied_process", str(os.getpid()), sys.executable, "-c", *sys.argv[1:]]
sys.exit(subprocess.Popen(words).wait())
"""


def start(folder: Path, **variables: str) -> tuple[subprocess.Popen[bytes], psutil.Process, psutil.Process]:
    """The actor, its child, and the worker, which has begun."""
    environ = {**os.environ, **variables}
    actor = subprocess.Popen([sys.executable, "-c", ACTOR, WORKER, str(folder)], cwd=ROOT, env=environ)
    wait_until(lambda: (folder / "began").exists() and (folder / "began").read_text(), "the worker")
    worker = psutil.Process(int((folder / "began").read_text()))
    (between,) = psutil.Process(actor.pid).children()
    return actor, between, worker


#: As `python -m cluster.tied_process`, with little patience.
IMPATIENT = """
import sys
from cluster import tied_process
tied_process.END_TIMEOUT_S = tied_process.LOOK_INTERVAL_S = 0.2
tied_process.run(int(sys.argv[1]), sys.argv[2:], None)
"""
#: Does not listen to SIGTERM.
DEAF_WORKER = """
import os, pathlib, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
(pathlib.Path(sys.argv[1]) / "began").write_text(str(os.getpid()))
while True:
    signal.pause()
"""


def test_a_worker_that_goes_on_is_killed_although_ray_has_killed_the_child_of_the_actor(tmp_path: Path) -> None:
    words = [sys.executable, "-c", IMPATIENT, str(os.getpid()), sys.executable, "-c", DEAF_WORKER, str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, process_group=0) as between:
        wait_until(lambda: (tmp_path / "began").exists() and (tmp_path / "began").read_text(), "the worker")
        worker = psutil.Process(int((tmp_path / "began").read_text()))
        try:
            os.killpg(between.pid, signal.SIGKILL)
            assert wait_for_end([worker], TIMEOUT_S) == []
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()


@pytest.mark.parametrize("whom", ["actor", "child of the actor", "keeper"])
def test_a_worker_is_told_to_end_when_what_has_started_it_is_killed(whom: str, tmp_path: Path) -> None:
    actor, between, worker = start(tmp_path)
    keeper = worker.parent()
    assert keeper is not None
    try:
        {"actor": psutil.Process(actor.pid), "child of the actor": between, "keeper": keeper}[whom].kill()
        wait_until((tmp_path / "told").exists, "the order to end")
        worker.wait(TIMEOUT_S)
        keeper.wait(TIMEOUT_S)
        between.wait(TIMEOUT_S)
    finally:
        actor.kill()
        actor.wait()


def test_a_worker_is_told_to_end_when_the_raylet_has_ended_and_nobody_asks_for_its_exit_code(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as raylet:
        actor, _, worker = start(tmp_path, RAY_RAYLET_PID=str(raylet.pid))
        try:
            raylet.kill()
            wait_until((tmp_path / "told").exists, "the order to end")
            assert psutil.Process(raylet.pid).status() == psutil.STATUS_ZOMBIE
            worker.wait(TIMEOUT_S)
            assert actor.wait(TIMEOUT_S) == 3
        finally:
            actor.kill()
            actor.wait()


@pytest.mark.parametrize("variable", ["", RAYLET_VARIABLE])
def test_nothing_is_started_for_a_parent_or_a_raylet_that_has_ended(variable: str, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    parent_pid = os.getpid() if variable else ended.pid
    command = [sys.executable, "-c", f"open({str(tmp_path / 'began')!r}, 'w')"]
    done = subprocess.run(
        [sys.executable, "-m", "cluster.tied_process", str(parent_pid), *command],
        cwd=ROOT,
        env={**os.environ, **({variable: str(ended.pid)} if variable else {})},
        check=False,
    )
    assert done.returncode == 1
    assert not (tmp_path / "began").exists()


class DeafChild:
    """Stands for a worker that goes on after SIGTERM. orders: what was done to it."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def poll(self) -> int | None:
        raise AssertionError("nobody waits")

    def terminate(self) -> None:
        self.orders.append("terminate")

    def kill(self) -> None:
        self.orders.append("kill")


def test_a_worker_has_all_of_its_time_from_the_order_on_and_no_more() -> None:
    child = DeafChild()
    tie = Tie(child, None)
    tie.look(time.monotonic() + END_TIMEOUT_S)
    assert child.orders == []
    before_s = time.monotonic()
    tie.tell()
    tie.look(before_s + END_TIMEOUT_S - 1.0)
    assert child.orders == ["terminate"]
    tie.look(time.monotonic() + END_TIMEOUT_S)
    assert child.orders == ["terminate", "kill"]


def test_a_signal_is_passed_on_and_the_exit_code_comes_back(tmp_path: Path) -> None:
    actor, between, _ = start(tmp_path)
    between.send_signal(signal.SIGTERM)
    assert actor.wait(TIMEOUT_S) == 3
    assert (tmp_path / "told").exists()


#: As `python -m cluster.tied_process`, but whoever sleeps for a fixed time fails.
SLEEPLESS = """
import sys, time
from cluster import tied_process
def refuse(seconds): raise AssertionError(f"slept {seconds} s instead of waiting for a signal")
time.sleep = refuse
tied_process.leave_with(tied_process.run(int(sys.argv[1]), sys.argv[2:], None))
"""


def test_a_keeper_sleeps_until_a_signal_comes(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SLEEPLESS, str(os.getpid()), sys.executable, "-c", WORKER, str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT) as between:
        wait_until(lambda: (tmp_path / "began").exists() and (tmp_path / "began").read_text(), "the worker")
        between.send_signal(signal.SIGTERM)
        assert between.wait(TIMEOUT_S) == 3
