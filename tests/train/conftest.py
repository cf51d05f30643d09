"""What the trainings of this folder share."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from trainer_worker.classification import features
from trainer_worker.optimization import epochs


@pytest.fixture(scope="session", autouse=True)
def converted_once() -> Iterator[None]:
    """A backbone is converted once for all caches: that takes three seconds of processor time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_convert", functools.cache(features._convert))
        yield


@pytest.fixture
def saved_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch of so few pictures is shorter than the time between two checkpoints."""
    monkeypatch.setattr(epochs, "CHECKPOINT_INTERVAL_S", 0.0)
