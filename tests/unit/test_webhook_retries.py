"""When a webhook is tried again: pauses that double, bounds, Retry-After, and the end after a day."""

from __future__ import annotations

import pytest

from conf.settings import load
from web.webhooks.retries import Outcome, next_try_s, spread_s

SETTINGS = load({}).webhooks
DAY_S = 86400.0


def pauses(outcome: Outcome) -> list[float]:
    """The pauses of a webhook that never arrives, from its first failure at time 0."""
    found: list[float] = []
    while True:
        pause_s = next_try_s(outcome, len(found) + 1, sum(found), DAY_S, SETTINGS)
        if pause_s is None:
            return found
        found.append(pause_s)


def test_pauses_double_from_seconds_to_an_hour_and_fill_a_day() -> None:
    found = pauses(Outcome(500, "no"))
    assert found[:4] == [5.0, 10.0, 20.0, 40.0]
    assert max(found) == 3600.0
    assert sum(found) == pytest.approx(DAY_S)
    assert 30 < len(found) < 40


def test_the_longest_life_does_not_overflow() -> None:
    assert next_try_s(Outcome(500, "no"), 10**9, 0.0, DAY_S, SETTINGS) == 3600.0


def test_a_receiver_that_is_gone_is_not_tried_again() -> None:
    assert next_try_s(Outcome(410, "gone"), 1, 0.0, DAY_S, SETTINGS) is None


@pytest.mark.parametrize(("asked_s", "pause_s"), [(0.0, 5.0), (1.0, 5.0), (60.0, 60.0), (1e9, 3600.0)])
def test_retry_after_makes_a_pause_longer_but_not_endless(asked_s: float, pause_s: float) -> None:
    assert next_try_s(Outcome(503, "busy", asked_s), 1, 0.0, DAY_S, SETTINGS) == pause_s


def test_pauses_are_spread_and_never_shortened() -> None:
    assert (spread_s(8.0, 0.0), spread_s(8.0, 1.0)) == (8.0, 10.0)
