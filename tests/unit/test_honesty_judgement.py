"""What benchmarks.honesty makes of a training's metrics.json and of the answers of its exported file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from benchmarks.checked_advice import ADDED, CheckedAdvice, measured_gains, named_first
from benchmarks.coverage import Interval, wilson
from benchmarks.drawn_folders import Draw, Rows, SourceSet
from benchmarks.honesty_report import Findings, Timed, goals, row_of
from benchmarks.judged_training import Judged, Pair, Unseen, judge, precision_among_suspects
from tests.unit.test_honesty_folders import numbered_set

METRICS: dict[str, Any] = {
    "score": {"value": 0.8, "low": 0.7, "high": 0.9, "method": "cross_validation"},
    "per_class": [
        {"label": "cat", "recall": 0.9, "recall_low": 0.8, "recall_high": 0.95, "support": 40},
        {"label": "dog", "recall": 0.7, "recall_low": 0.6, "recall_high": 0.85, "support": 40},
        {"label": "rare", "recall": 0.0, "recall_low": None, "recall_high": None, "support": 0},
    ],
    "calibration": {"temperature": 1.0, "ece_before": 0.12, "ece_after": 0.05},
    "unknown": {"threshold": 0.5, "kept": 0.95, "spotted": 0.4},
    "suspect_labels": [{"file": name} for name in ("a", "b", "c", "d")],
}


def unseen() -> Unseen:
    """Ten pictures of each class: all cats are right, half of the dogs and none of the rare ones, with 0.8 or 0.4."""
    answers = np.array([0] * 10 + [1] * 5 + [0] * 5 + [0] * 10)
    sure = np.where(np.arange(30) % 10 < 4, 0.4, 0.8)
    probabilities = np.full((30, 3), 0.0) + ((1 - sure) / 2)[:, None]
    probabilities[np.arange(30), answers] = sure
    strangers = np.array([[0.4, 0.3, 0.3]] * 3 + [[0.9, 0.05, 0.05]])
    return Unseen(probabilities, np.repeat([0, 1, 2], 10), strangers, [40, 40, 20])


def test_the_report_is_read_and_set_beside_the_truth() -> None:
    judged = judge(METRICS, unseen())
    assert (judged.score, judged.method) == (Interval(0.8, 0.7, 0.9), "cross_validation")
    assert judged.truth.value == pytest.approx(0.4 * 1.0 + 0.4 * 0.5)
    assert [recall.truth for recall in judged.recalls] == [wilson(1.0, 10), wilson(0.5, 10), wilson(0.0, 10)]
    assert [recall.reported for recall in judged.recalls] == [
        Interval(0.9, 0.8, 0.95),
        Interval(0.7, 0.6, 0.85),
        None,
    ]
    assert judged.bias == pytest.approx(0.2)
    assert judged.gap_of_smallest() == pytest.approx(0.75)
    assert judged.spotted == (0.4, 0.75)
    # Of the right answers, 6 of 10 cats and 1 of 5 dogs are above the threshold; a cat weighs as much as a dog.
    assert judged.kept is not None
    assert tuple(judged.kept) == pytest.approx((0.95, 7 / 15))
    assert judged.error_before is not None
    assert judged.error_before.reported == 0.12
    # With a temperature of 1 the exported probabilities are those before it as well.
    assert judged.error_before.measured == pytest.approx(judged.error_after.measured)
    # At 0.4 there are four pictures of each class, at 0.8 six; classes weigh 0.4, 0.4 and 0.2.
    right_at_low, right_at_high = 0.4 * 1 + 0.4 * 1, 0.4 * 1 + 0.4 / 6
    expected = 0.4 * abs(right_at_low - 0.4) + 0.6 * abs(right_at_high - 0.8)
    assert tuple(judged.error_after) == pytest.approx((0.05, expected))


def test_what_a_product_does_not_report_is_not_judged() -> None:
    judged = judge({name: METRICS[name] for name in ("score", "per_class")}, unseen())
    assert (judged.error_before, judged.spotted, judged.kept) == (None, None, None)
    assert math.isnan(judged.error_after.reported)
    assert precision_among_suspects({}, {"a"}) is None


def test_as_many_suspects_count_as_labels_were_planted() -> None:
    assert precision_among_suspects(METRICS, {"a", "c", "elsewhere"}) == pytest.approx(2 / 3)
    assert precision_among_suspects({"suspect_labels": []}, {"a", "b"}) == 0.0


def test_the_advice_names_the_first_class() -> None:
    assert named_first({"learning_curve": None}) is None
    assert named_first({"learning_curve": {"advice": []}}) == ""
    assert named_first({"learning_curve": {"advice": [{"label": "dog"}, {"label": "cat"}]}}) == "dog"


def test_gains_are_measured_on_pictures_that_are_never_added() -> None:
    source: SourceSet = numbered_set([100, 60, 60], of_group=2)
    taken = np.concatenate([np.arange(0, 20), np.arange(100, 120), np.arange(160, 180)])
    drawn = Draw(taken, np.setdiff1d(np.arange(220), taken))
    added: list[list[int]] = []

    def score(trained: Rows, scored: Rows) -> float:
        assert set(taken) <= set(trained)
        assert not set(source.groups[trained]) & set(source.groups[scored])
        assert set(source.classes[scored]) == {0, 1, 2}
        extra = source.classes[np.setdiff1d(trained, taken)]
        added.append(np.bincount(extra, minlength=3).tolist())
        return 0.5 + 0.01 * float((extra == 1).sum())

    gains = measured_gains(source, drawn, score, 2, 1)
    assert added == [[0, 0, 0], [ADDED, 0, 0], [0, ADDED, 0], [0, 0, ADDED]] * 2
    assert gains == pytest.approx({"class 0": 0.0, "class 1": 0.2, "class 2": 0.0})
    advice = CheckedAdvice("class 1", gains)
    assert advice.right
    assert str(advice).startswith("named class 1; gained in points: class 1 +20.00")
    assert not CheckedAdvice("class 2", gains).right


def judged_with(score: Interval, truth: float) -> Judged:
    sure = Interval(truth, truth, truth)
    return Judged(score, sure, [], "held_out", None, Pair(math.nan, 0.1), None, None)


def test_a_goal_is_missed_where_one_kind_of_folder_misses_it() -> None:
    right, wrong = judged_with(Interval(0.8, 0.7, 0.9), 0.85), judged_with(Interval(0.8, 0.7, 0.9), 0.5)
    findings = Findings(judged={("flowers", "plain"): [right] * 10, ("flowers", "small"): [right] * 8 + [wrong] * 2})
    of_score, of_recalls, *_ = goals(findings)
    assert (of_score.measured, of_score.held) == ("plain 10 of 10; small 8 of 10", False)
    assert not of_recalls.held
    assert "MISSES" in row_of("flowers", "small", 3, wrong, 12.0)
    findings.judged["flowers", "small"] = [right] * 9 + [wrong]
    assert goals(findings)[0].held


def test_what_was_not_measured_is_neither_held_nor_missed() -> None:
    assert {goal.held for goal in goals(Findings())} == {None}


def test_the_other_goals_are_held_at_their_bounds_and_not_beyond() -> None:
    def held(findings: Findings) -> dict[str, bool | None]:
        names = ("score", "recalls", "gap", "calibration", "labels", "advice", "time", "report")
        return dict(zip(names, (goal.held for goal in goals(findings)), strict=True))

    old = {"features": 60.0, "train": 40.0}
    within = Findings(
        precisions={"a": [0.6, None], "b": [0.5, 0.7], "c": [0.1]},
        advice={name: [CheckedAdvice("x", {"x": gain, "y": 0.1})] for name, gain in (("a", 1), ("b", 1), ("c", 0))},
        timed=[Timed("a", 10, 100.0, old | {"report": 1.0, "scores": 2.0}, "held_out")],
    )
    assert {name: held(within)[name] for name in ("labels", "advice", "time", "report")} == dict.fromkeys(
        ("labels", "advice", "time", "report"), True
    )
    beyond = Findings(
        precisions={"a": [0.6], "b": [0.5]},
        advice={name: [CheckedAdvice("x", {"x": gain, "y": 0.1})] for name, gain in (("a", 1), ("b", 0), ("c", 0))},
        timed=[
            Timed("a", 10, 100.0, old | {"report": 1.1, "scores": 2.0}, "held_out"),
            Timed("b", 10, 100.0, old | {"cross_validation": 50.0}, "cross_validation"),
        ],
    )
    assert {name: held(beyond)[name] for name in ("labels", "advice", "time", "report")} == dict.fromkeys(
        ("labels", "advice", "time", "report"), False
    )
