"""Checks of exported files in several threads, with processes that run nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.waiting import TIMEOUT_S, wait_until
from trainer_worker.exporting import checks as checks_file
from trainer_worker.exporting import scoring
from trainer_worker.exporting.checks import ExportChecks, HeldOut
from trainer_worker.exporting.scoring import BATCH, CannotRunError, ScoringProcesses

PICTURES = np.zeros((3, 2, 2, 3), np.uint8)
OUTPUTS = np.full((3, 2), 0.5, np.float32)


class FakeProcess:
    """Gives the same outputs for every file. load: called with each file's name; an error from it ends the process."""

    load_file: Callable[[str], None] = staticmethod(lambda name: None)
    loaded: list[str]

    def __init__(self, runtime: str, threads: int) -> None:
        self.runtime = runtime
        self.has_ended = False

    def alive(self) -> bool:
        return not self.has_ended

    def load(self, path: Path) -> None:
        if self.has_ended:
            raise CannotRunError("the process has ended")
        self.loaded.append(path.name)
        try:
            self.load_file(path.name)
        except CannotRunError:
            self.has_ended = True
            raise

    def run(self, pictures: Any) -> tuple[Any, float]:
        return OUTPUTS[: len(pictures)], 0.001

    def forget(self) -> None:
        pass


class WatchedLock:
    """Counts those who wait for it."""

    waiting = 0

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            WatchedLock.waiting += 1
            self._lock.acquire()
            WatchedLock.waiting -= 1

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@pytest.fixture(autouse=True)
def _without_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProcess, "loaded", [], raising=False)
    monkeypatch.setattr(scoring, "ScoringProcess", FakeProcess)


def test_a_file_that_waits_does_not_fall_with_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "threading", SimpleNamespace(Lock=WatchedLock))
    processes, may_end = ScoringProcesses(1), threading.Event()

    def end(name: str) -> None:
        if name == "model_int8.tflite":
            assert may_end.wait(TIMEOUT_S)
            raise CannotRunError("it crashes")

    monkeypatch.setattr(FakeProcess, "load_file", staticmethod(end))
    with ThreadPoolExecutor(2) as pool:
        crashes = pool.submit(lambda: list(processes.outputs(Path("model_int8.tflite"), PICTURES)))
        wait_until(lambda: FakeProcess.loaded, "the first file")
        right = pool.submit(lambda: list(processes.outputs(Path("model.tflite"), PICTURES)))
        wait_until(lambda: WatchedLock.waiting, "the second file, which waits")
        may_end.set()
        with pytest.raises(CannotRunError, match="it crashes"):
            crashes.result(TIMEOUT_S)
        assert len(right.result(TIMEOUT_S)) == 1


@pytest.mark.parametrize("count", [3, BATCH, BATCH + 3])
def test_the_quickest_batch_is_not_the_first_of_its_size(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """TensorFlow prepares itself for each size. The last batch may be smaller, but then it is not the quickest."""
    seen: set[int] = set()

    def run(self: FakeProcess, pictures: Any) -> tuple[Any, float]:
        seconds = 0.001 if len(pictures) in seen else 1.0
        seen.add(len(pictures))
        return np.zeros((len(pictures), 2), np.float32), seconds

    monkeypatch.setattr(FakeProcess, "run", run)
    measured = ScoringProcesses(1).outputs(Path("model.keras"), np.zeros((count, 2, 2, 3), np.uint8))
    assert min(seconds for _, seconds in measured) == 0.001


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> ExportChecks:
    monkeypatch.setattr(checks_file, "kept_processes", ScoringProcesses)
    return ExportChecks(HeldOut(PICTURES, OUTPUTS, lambda outputs: 1.0, "accuracy"), threads=1)


def test_a_file_of_another_runtime_is_checked_while_one_loads(
    checks: ExportChecks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    may_load = threading.Event()

    def load(name: str) -> None:
        if name == "model.keras":
            assert may_load.wait(TIMEOUT_S)

    monkeypatch.setattr(FakeProcess, "load_file", staticmethod(load))
    names = {"keras": "model.keras", "saved_model": "saved_model", "tflite": "model.tflite"}
    with checks:
        for name, file in names.items():
            (tmp_path / file).touch()
            checks.begin(name, tmp_path / file)
        wait_until(lambda: checks._checks[2].done(), "the check of the TFLite file")
        assert not checks._checks[0].done()
        may_load.set()
        found = checks.finish(lambda fraction: None)
    assert [check.format for check in found.checks] == list(names)


def test_a_cancel_lets_no_further_file_load(
    checks: ExportChecks, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(name: str) -> None:
        assert checks._abandoned.wait(TIMEOUT_S)

    monkeypatch.setattr(FakeProcess, "load_file", staticmethod(load))
    with checks:  # whatever ends the block
        checks.begin("keras", tmp_path / "model.keras")
        checks.begin("saved_model", tmp_path / "saved_model")
        wait_until(lambda: FakeProcess.loaded, "the first file")
    assert FakeProcess.loaded == ["model.keras"]
