"""How a time budget is divided."""

from __future__ import annotations

import math

from trainer_worker.attempt.time_budget import TimeBudget


def test_shares_count_from_the_beginning_and_what_follows_is_kept_back() -> None:
    now = [1000.0]
    budget = TimeBudget(120.0, clock=lambda: now[0])
    assert budget.is_limited
    now[0] += 25.0
    assert budget.by_s(0.25, reserve_s=8.0) == 1000.0 + 30.0 - 8.0
    assert budget.by_s(1.0) == 1120.0


def test_without_a_budget_there_is_no_end() -> None:
    budget = TimeBudget(0.0)
    assert not budget.is_limited
    assert budget.by_s(0.25, 10.0) == math.inf


def test_what_came_before_the_training_counts() -> None:
    """Such as the download of the photos."""
    assert TimeBudget(100.0, began_s=20.0).by_s(0.5) == 70.0
