"""The plan of a segmentation knows what makes it longer."""

from __future__ import annotations

import pytest

from protocol.options import SegmentationOptions
from trainer_worker.backbones.efficientnet_lite import LITE0
from trainer_worker.segmentation.plan import SegmenterPlan


def planned_s(pairs: int, channels: int) -> float:
    return SegmenterPlan(pairs, 1.0, SegmentationOptions(), LITE0, channels).total_s


def test_every_class_makes_the_plan_longer() -> None:
    """On two cores a training step with 12 channels took 1.5 times as long as one with 1, and with 40 2.7 times."""
    assert 1.2 * planned_s(100, 1) < planned_s(100, 12) < 1.7 * planned_s(100, 1)
    assert 1.8 * planned_s(100, 1) < planned_s(100, 40) < 3.0 * planned_s(100, 1)


def test_views_that_do_not_fit_into_memory_are_encoded_in_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    fits_s = planned_s(400, 1)
    monkeypatch.setattr("trainer_worker.segmentation.plan.FEATURES_MEMORY_BYTES", 0)
    assert planned_s(400, 1) > fits_s + 10.0
