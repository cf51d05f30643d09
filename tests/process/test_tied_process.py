"""What an actor has started ends with it, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

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


def start(folder: Path) -> tuple[subprocess.Popen[bytes], psutil.Process, psutil.Process]:
    """The actor, the process between, and the worker, which has begun."""
    actor = subprocess.Popen([sys.executable, "-c", ACTOR, WORKER, str(folder)], cwd=ROOT)
    wait_until(lambda: (folder / "began").exists() and (folder / "began").read_text(), "the worker")
    worker = psutil.Process(int((folder / "began").read_text()))
    between = worker.parent()
    assert between is not None
    return actor, between, worker


@pytest.mark.parametrize("whom", ["actor", "between"])
def test_a_worker_is_told_to_end_when_what_has_started_it_is_killed(whom: str, tmp_path: Path) -> None:
    actor, between, worker = start(tmp_path)
    try:
        psutil.Process(actor.pid if whom == "actor" else between.pid).kill()
        wait_until((tmp_path / "told").exists, "the order to end")
        worker.wait(TIMEOUT_S)
        between.wait(TIMEOUT_S)
    finally:
        actor.kill()
        actor.wait()


def test_a_signal_is_passed_on_and_the_exit_code_comes_back(tmp_path: Path) -> None:
    actor, between, _ = start(tmp_path)
    between.send_signal(signal.SIGTERM)
    assert actor.wait(TIMEOUT_S) == 3
    assert (tmp_path / "told").exists()
