"""A machine with several GPUs runs a worker for each: which ones, with what environment, and how they end together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from conf.settings import EXIT_BAD_SETTINGS, ROOT, load
from tests.waiting import TIMEOUT_S, wait_until
from trainer_worker.agent.gpus import Gpu, visible_gpus
from trainer_worker.agent.one_per_gpu import gpus_of, programs_for

GPUS = [Gpu("0", "GPU-aaaa-1", "NVIDIA A100-SXM4-40GB"), Gpu("1", "GPU-bbbb-2", "NVIDIA A100-SXM4-40GB")]
#: A stand-in for `python -m trainer_worker`: it notes its environment, and ends at a signal or by a file.
STAND_IN = """
import os, pathlib, signal, sys, time
name = sys.argv[1]
folder = pathlib.Path(os.environ["NOTES"])
with (folder / name).open("a") as notes:
    notes.write(os.environ["CUDA_VISIBLE_DEVICES"] + "\\n")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while not (folder / f"end-{name}").exists():
    time.sleep(0.01)
sys.exit(int((folder / f"end-{name}").read_text()))
"""
#: The parent, with stand-ins as its workers.
PARENT = f"""
import logging, sys
from trainer_worker.agent.one_per_gpu import OnePerGpu, Program
logging.basicConfig(level=logging.INFO)
command = (sys.executable, "-c", {STAND_IN!r})
programs = [Program(name, (*command, name), {{"CUDA_VISIBLE_DEVICES": name}}) for name in ("a", "b")]
sys.exit(OnePerGpu(programs, restart_delay_s=0.05).run())
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with the name and the output of nvidia-smi."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    lines = "".join(f"echo '{gpu.number}, {gpu.uuid}, {gpu.name}'\n" for gpu in GPUS)
    program.write_text(f"#!/bin/sh\n{lines}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program


def test_the_driver_names_the_gpus_and_cudas_variable_chooses_among_them(driver: Path) -> None:
    assert visible_gpus({}) == GPUS
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "1"}) == GPUS[1:]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "GPU-bbbb,0"}) == [GPUS[1], GPUS[0]]
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": ""}) == visible_gpus({"CUDA_VISIBLE_DEVICES": "-1"}) == []


def test_a_driver_that_fails_means_no_gpu(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    driver.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'; exit 9\n")
    assert visible_gpus({}) == []
    driver.write_text("#!/bin/sh\necho nonsense\n")
    assert visible_gpus({}) == []
    monkeypatch.setenv("PATH", "")
    assert visible_gpus({}) == []


def settings(devices: str) -> Any:
    return load({"TFMODEL_WORKER_DEVICES": devices}).worker


def test_the_setting_says_which_gpus_get_a_worker_each() -> None:
    assert gpus_of(settings("auto"), []) == gpus_of(settings("auto"), GPUS[:1]) == [], "one worker, as ever"
    assert gpus_of(settings("auto"), GPUS) == GPUS
    assert gpus_of(settings("all"), GPUS) == []
    assert gpus_of(settings("1"), GPUS) == GPUS[1:]
    assert gpus_of(settings("GPU-bbbb-2,0"), GPUS) == [GPUS[1], GPUS[0]]
    assert gpus_of(settings("3"), []) == [Gpu("0", "3", "")], "one that no driver tells of is TensorFlow's to find"


def test_each_worker_sees_one_gpu_and_they_share_the_cores() -> None:
    first, second = programs_for(GPUS, "w", ["--label", "room=2"], threads=9)
    assert (first.name, second.name) == ("w-gpu0", "w-gpu1")
    assert first.command[1:] == ("-m", "trainer_worker", "--name", "w-gpu0", "--label", "room=2")
    assert second.changes["CUDA_VISIBLE_DEVICES"] == "GPU-bbbb-2"
    assert second.changes["TFMODEL_WORKER_THREADS"] == "4"
    assert load(dict(second.changes)).worker.devices == "all", "it starts no others"


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environ = {**os.environ, "NOTES": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, env=environ, stderr=subprocess.PIPE) as process:
        wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists(), "both workers")
        yield process
        process.kill()


def test_a_worker_that_ends_is_started_again_and_sigterm_ends_all(
    parent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "end-a").write_text("1")
    wait_until(lambda: len((tmp_path / "a").read_text().split()) >= 3, "a third start of the first worker")
    (tmp_path / "end-a").unlink()
    wait_until(lambda: len(psutil.Process(parent.pid).children()) == 2, "both workers")
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(TIMEOUT_S) == 0
    assert set((tmp_path / "a").read_text().split()) == {"a"}
    assert (tmp_path / "b").read_text().split() == ["b"], "the other one was left alone"


def test_bad_settings_end_a_worker_for_good_and_the_parent_when_none_is_left(
    parent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (tmp_path / "end-a").write_text(str(EXIT_BAD_SETTINGS))
    wait_until(lambda: len(psutil.Process(parent.pid).children()) == 1, "one worker")
    assert parent.poll() is None
    (tmp_path / "end-b").write_text(str(EXIT_BAD_SETTINGS))
    assert parent.wait(TIMEOUT_S) == EXIT_BAD_SETTINGS


def test_no_worker_outlives_a_parent_that_is_killed(parent: subprocess.Popen[bytes]) -> None:
    workers = psutil.Process(parent.pid).children()
    parent.kill()
    assert len(workers) == 2
    gone, alive = psutil.wait_procs(workers, TIMEOUT_S)
    assert (len(gone), alive) == (2, [])
