"""What the trainings of this folder share."""

from __future__ import annotations

import pytest

from trainer_worker.optimization import epochs


@pytest.fixture
def saved_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch of so few pictures is shorter than the time between two checkpoints."""
    monkeypatch.setattr(epochs, "CHECKPOINT_INTERVAL_S", 0.0)
