"""A classifier that is built in a thread: what fails there fails the task, and nothing of it outlives the block."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest

from trainer_worker.attempt.job import Cancelled
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.classification import preparing
from trainer_worker.classification.preparing import SWITCH_INTERVAL_S, prepared_classifier


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prepare")]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Any:
    interval_s = sys.getswitchinterval()
    yield
    assert sys.getswitchinterval() == interval_s != SWITCH_INTERVAL_S
    assert threads() == []


def build(backbone: Any, image_size: int, labels: int) -> Any:
    return f"a classifier for {labels} labels"


def test_the_number_of_labels_that_is_needed_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparing, "_prepared", build)
    monkeypatch.setattr(preparing, "build_classifier", lambda *given: f"another one: {build(*given)}")
    with prepared_classifier(LITE0, 64, 3) as classifier_for:
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
        assert str(classifier_for(3)) == "a classifier for 3 labels"
        assert str(classifier_for(2)) == "another one: a classifier for 2 labels"


def test_what_fails_in_the_thread_fails_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: object) -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(preparing, "_prepared", fail)
    with pytest.raises(MemoryError), prepared_classifier(LITE0, 64, 3) as classifier_for:
        classifier_for(3)


def test_a_cancel_waits_for_the_thread_and_stays_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled = threading.Event()

    def fail_late(*given: object) -> NoReturn:
        cancelled.wait()
        raise MemoryError

    monkeypatch.setattr(preparing, "_prepared", fail_late)

    def cancel() -> None:
        with prepared_classifier(LITE0, 64, 3):
            assert len(threads()) == 1
            cancelled.set()
            raise Cancelled

    with pytest.raises(Cancelled):
        cancel()


def test_a_thread_that_cannot_be_started_leaves_python_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    with pytest.raises(RuntimeError, match="new thread"), prepared_classifier(LITE0, 64, 3):
        pytest.fail("the block was entered")
