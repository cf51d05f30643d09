"""Errors that a broker counts instead of logging each."""

from __future__ import annotations

import pytest

from broker import tally as tally_file
from broker.tally import INTERVAL_S, Tally


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


def test_each_kind_is_logged_at_most_once_a_second_and_never_lost(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, tally = Clock(), Tally()
    monkeypatch.setattr(tally_file, "time", clock)
    for _ in range(20):  # as often as a broker ticks at the most
        tally.add("broker.bad_frame", "nonsense")
        tally.flush()
        clock.now_s += INTERVAL_S / 20
    clock.now_s += INTERVAL_S
    tally.flush()
    tally.flush()
    said = [record.getMessage().split()[1] for record in caplog.records]
    assert said == ["count=1", "count=20"]
