"""Computes the learning curve and the doubted labels of a classifier's report once more, by plain arithmetic."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.report_reading import ReportReader
from tests.train.written_figures import outwards, percent


@dataclass
class Features:
    """What the backbone sees in the pictures of a project. names, classes, pooled: of each picture."""

    names: list[str]
    classes: Any
    pooled: Any


def check_advice(folder: Path, counts: dict[str, int], features: Features) -> None:
    """folder: of a model whose pictures have no copies. counts: pictures of each label in the project."""
    page = ReportReader((folder / "report.html").read_text("utf-8"))
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    _check_curve(page, metrics["learning_curve"], counts)
    _check_gains(page, metrics["learning_curve"], counts)
    _check_suspects(page, metrics["suspect_labels"], sum(counts.values()))
    _check_with_another_classifier(metrics["suspect_labels"], features)


def _check_curve(page: ReportReader, told: dict[str, Any], counts: dict[str, int]) -> None:
    scored = sum(counts.values())  # every picture is in a fold
    rows = page.table("learning", "Learning curve")
    for row, point, share, draws in zip(rows, told["points"], (0.25, 0.5, 0.75, 1.0), (4, 2, 1, 1), strict=True):
        pictures = sum(max(1, math.ceil(share * number)) for number in counts.values())
        number = min(draws * pictures, scored)
        right = point["accuracy"] * draws * pictures
        bounds = binomtest(round(point["accuracy"] * number), number).proportion_ci(method="wilson")
        assert right == pytest.approx(round(right)), "a share of all draws"
        assert (point["share"], point["pictures"]) == (share, pictures)
        assert (point["low"], point["high"]) == pytest.approx((bounds.low, bounds.high), abs=1e-6)
        assert row[:2] == [f"{100 * share:.0f} %", str(pictures)]
        assert row[3] == outwards(point["low"], point["high"])


def _check_gains(page: ReportReader, told: dict[str, Any], counts: dict[str, int]) -> None:
    """The power of the curve by the normal equations, and what it makes of each advised class's own errors."""
    total = sum(counts.values())
    points = [
        (math.log(point["pictures"]), math.log(max(1 - point["accuracy"], 0.5 / total))) for point in told["points"]
    ]
    middle = [sum(values) / len(points) for values in zip(*points, strict=True)]
    slope = sum((x - middle[0]) * (y - middle[1]) for x, y in points) / sum((x - middle[0]) ** 2 for x, _ in points)
    power = min(1.0, max(0.05, -slope))
    for entry in told["advice"]:
        number = counts[entry["label"]]
        fewer = 1 - (number / (number + 20)) ** power
        errors = entry["gain"] / fewer * (number + 2) - 1  # of the pictures of this class, with Laplace's rule
        assert errors == pytest.approx(round(errors), abs=1e-6)
        assert 0 <= round(errors) <= number
    assert [entry["gain"] for entry in told["advice"]] == sorted((e["gain"] for e in told["advice"]), reverse=True)
    shown = page.table("learning", "Which photos help most: with 20 more")
    assert shown == [[entry["label"], _more(entry["gain"])] for entry in told["advice"]]


def _more(gain: float) -> str:
    return f"about {100 * gain:.0f}" if gain >= 0.01 else "fewer than 1"


def _check_suspects(page: ReportReader, told: list[dict[str, Any]], pictures: int) -> None:
    """Bayes: the odds of a wrong label are those of a label without wrong ones, times one factor for all pictures."""
    doubts = [entry["label_probability"] for entry in told]
    assert doubts == sorted(doubts)
    named = [entry for entry in told if entry["named"]]
    assert named == told[: len(named)]
    assert all(entry["named"] == (entry["wrong"] > 0.4) for entry in told)
    assert len(told) <= max(len(named), round(0.05 * pictures))
    factors = [
        entry["wrong"] / (1 - entry["wrong"]) * entry["label_probability"] / (1 - entry["label_probability"])
        for entry in told
        if entry["label_probability"] > 1e-12 and entry["wrong"] < 1 - 1e-9
    ]
    assert factors == pytest.approx([factors[0]] * len(factors), rel=1e-4) if factors else True
    shown = (named or told[:4])[:12]
    assert [picture["alt"] for picture in page.sections["labels"].pictures] == [entry["file"] for entry in shown]
    for tile, entry in zip(page.tiles("labels"), shown, strict=True):
        assert tile["label"] == f"{entry['label']}, {percent(entry['label_probability'])}"
        assert tile["likely"] == f"{entry['likely']}, {percent(entry['likely_probability'])}"


def _check_with_another_classifier(told: list[dict[str, Any]], features: Features) -> None:
    """A logistic regression, out of fold as well, doubts the same pictures."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    given = cross_val_predict(model, features.pooled, features.classes, cv=5, method="predict_proba")
    doubt = 1 - given[np.arange(len(given)), features.classes]
    named = {entry["file"] for entry in told if entry["named"]}
    is_named = [name in named for name in features.names]
    assert any(is_named)
    assert roc_auc_score(is_named, doubt) > 0.9
