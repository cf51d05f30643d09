"""What benchmarks.first_model notes of a task's answers, and what it says of its targets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.first_model import Outcome, target_lines


def answer(state: str, eta_range: list[float] | None = None, **more: Any) -> dict[str, Any]:
    return {"state": state, "phase": "", "etaRangeSeconds": eta_range, **more}


def test_a_task_is_followed_from_its_wait_to_its_first_model(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    outcome = Outcome(40)
    outcome.look(answer("pending"), 90.0)
    outcome.look(answer("pending", [20.0, 40.0]), 95.0)
    outcome.look(answer("processing", [5.0, 90.0], phase="starting"), 100.0)
    outcome.look(answer("processing", [10.0, 19.0], phase="features"), 101.0)
    outcome.look(answer("processing", [1.0, 2.0], phase="train"), 102.0)
    manifest.write_text(json.dumps({"interim": True, "metrics": {"accuracy": 0.75}}))
    for now_s in (108.0, 109.0):
        outcome.look(answer("processing", modelPath=str(tmp_path / "model.tflite")), now_s)
    outcome.ended_at_s, outcome.score, outcome.end_reason = 125.0, 0.9, "converged"
    assert (outcome.range_before, outcome.range_after) == ((115.0, 135.0), (111.0, 120.0))
    cells = ["40", "8.0", "0.20", "0.750", "25.0", "0.62", "0.900", "converged"]
    assert outcome.row().split() == [*cells, "hit", "15", "to", "35", "miss", "11", "to", "20"]


def test_a_final_model_is_no_first_model(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"interim": False, "metrics": {}}))
    outcome = Outcome(40)
    outcome.look(answer("processing", modelPath=str(tmp_path / "model.tflite")), 1.0)
    assert outcome.first_at_s is None
    assert "none given" in outcome.row()


def test_the_targets_hold_at_their_bounds_and_not_beyond() -> None:
    def outcome(first_s: float | None, end_s: float) -> Outcome:
        first_at_s = None if first_s is None else 1.0 + first_s
        return Outcome(40, started_at_s=1.0, first_at_s=first_at_s, ended_at_s=1.0 + end_s)

    assert all("holds" in line for line in target_lines([outcome(10.0, 40.0)]))
    assert [line.endswith("MISSED with budgets 40") for line in target_lines([outcome(10.5, 40.0)])] == [True, False]
    assert [line.endswith("MISSED with budgets 40") for line in target_lines([outcome(None, 40.5)])] == [True, True]
