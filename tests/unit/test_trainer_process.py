"""The trainer process as its parent sees it: a real child, without TensorFlow in it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil
import pytest

from protocol.pipe_messages import Halt
from tests.waiting import TIMEOUT_S, wait_until
from trainer_worker.agent.spawned_trainer import ProcessGone, SpawnedTrainer, describe_end
from trainer_worker.training.settings import TrainerSettings

GIGABYTE_MB = 1024.0


@pytest.mark.parametrize(
    ("returncode", "signals_sent", "words"),
    [
        (0, [], "exited with code 0"),
        (1, [], "exited with code 1"),
        (-signal.SIGKILL, [], "was killed by SIGKILL, probably out of memory"),
        (-signal.SIGSEGV, [], "was killed by SIGSEGV"),
        (-signal.SIGTERM, [signal.SIGTERM], "was stopped with SIGTERM"),
        (-signal.SIGKILL, [signal.SIGTERM, signal.SIGKILL], "was stopped with SIGKILL"),
        (-signal.SIGKILL, [signal.SIGTERM], "was killed by SIGKILL, probably out of memory"),
    ],
)
def test_an_end_is_told_in_words(returncode: int, signals_sent: list[signal.Signals], words: str) -> None:
    assert describe_end(returncode, signals_sent, 0.0) == words


def test_an_end_is_told_with_the_memory_that_was_held() -> None:
    assert "at 2.5 GB" in describe_end(-signal.SIGKILL, [], 2.5 * GIGABYTE_MB)


def spawn(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SpawnedTrainer:
    """A child that runs `script` in place of Python, with the pipe and arguments that a trainer would get."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return SpawnedTrainer(TrainerSettings(cache_dir=tmp_path, weights_dir=tmp_path, backbone_dir=tmp_path, threads=1))


def children_of(trainer: SpawnedTrainer) -> list[psutil.Process]:
    return psutil.Process(trainer.pid).children(recursive=True)


def test_a_child_that_ends_is_noticed_by_its_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = spawn("exit 3", tmp_path, monkeypatch)
    wait_until(lambda: is_gone(trainer), "the end of the pipe")
    assert trainer.end() == "exited with code 3"


def is_gone(trainer: SpawnedTrainer) -> bool:
    try:
        trainer.messages()
    except ProcessGone:
        return True
    return False


def test_telling_a_child_that_has_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = spawn("exit 0", tmp_path, monkeypatch)
    wait_until(lambda: is_gone(trainer), "the end of the pipe")
    trainer.tell(Halt(1, "t1"))
    trainer.terminate(force=True)
    trainer.sample_memory()
    trainer.end()


@pytest.mark.parametrize(("force", "words"), [(False, "was stopped with SIGTERM"), (True, "was stopped with SIGKILL")])
def test_terminate_reaches_the_childs_own_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, force: bool, words: str
) -> None:
    trainer = spawn("sleep 100 & wait", tmp_path, monkeypatch)
    grandchildren: list[psutil.Process] = wait_until(lambda: children_of(trainer), "a grandchild")
    trainer.sample_memory()
    trainer.terminate(force)
    wait_until(lambda: is_gone(trainer), "the end of the pipe")
    assert trainer.end().startswith(words)
    assert psutil.wait_procs(grandchildren, TIMEOUT_S)[1] == []


def test_a_child_that_ignores_everything_is_killed_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = spawn("trap '' TERM; while :; do sleep 100; done", tmp_path, monkeypatch)
    grandchildren: list[psutil.Process] = wait_until(lambda: children_of(trainer), "a grandchild")
    trainer.terminate(force=False)
    assert trainer.end().startswith("was stopped with SIGKILL")
    assert psutil.wait_procs(grandchildren, TIMEOUT_S)[1] == []
