"""How benchmarks know that other processes disturbed a run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks import other_work
from benchmarks.other_work import OtherWork

#: Uses so much processor time and ends.
BUSY_S = 0.2
BUSY = f"import time\nwhile time.process_time() < {BUSY_S}: pass"


def test_what_ended_children_used_is_own_work() -> None:
    before_s = other_work._own_s()
    busy_s = other_work._busy_s()
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert other_work._own_s() - before_s >= BUSY_S
    assert other_work._busy_s() - busy_s >= BUSY_S / 2  # counted in ticks


def test_the_rest_is_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_turn(*values: float) -> Iterator[float]:
        yield from values

    clock, busy, own = in_turn(100.0, 110.0), in_turn(5000.0, 5018.0), in_turn(1.0, 4.0)
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    monkeypatch.setattr(other_work, "_busy_s", lambda: next(busy))
    monkeypatch.setattr(other_work, "_own_s", lambda: next(own))
    assert OtherWork().cores() == pytest.approx(1.5)
