"""Scores in sentences for people have one form."""

from __future__ import annotations

import math
import re

import pytest

from conf.settings import ROOT
from protocol.percent import in_percent, metric_in_words, metrics_in_words, scores_in_words

#: A raw share in a sentence, such as {score:.4f}. Numbers of JSON fields are not formatted.
RAW = re.compile(r"\{(?!100)[^{}]*(score|accuracy|dice|iou|agreement)[^{}]*:\.\d[fg]?\}")


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.76, "76.0 %"),
        (0.0, "0.0 %"),
        (1.0, "100.0 %"),
        (0.99996, "> 99.9 %"),
        (0.0004, "< 0.1 %"),
        (-1e-9, "0.0 %"),
        (math.nan, "no number"),
    ],
)
def test_shares_have_one_decimal(share: float, text: str) -> None:
    assert in_percent(share) == text


def test_a_metric_that_is_no_share_stays_a_number() -> None:
    assert metric_in_words("training_accuracy", 0.913) == "training accuracy 91.3 %"
    assert metric_in_words("loss", 0.21434) == "loss 0.2143"
    assert metric_in_words("loss", math.nan) == "loss no number"
    assert metric_in_words("images", 12345.0) == "images 12,345"


def test_the_ends_of_an_interval_are_said_as_a_range_behind_their_score() -> None:
    metrics = {"accuracy": 0.932, "accuracy_low": 0.91, "accuracy_high": 0.95, "images": 120.0}
    assert metrics_in_words(metrics) == "accuracy 93.2 % (95 % interval: 91.0 % to 95.0 %), images 120"
    assert metrics_in_words({"loss": 0.5}) == "loss 0.5"
    assert scores_in_words(metrics) == {"accuracy": "accuracy 93.2 % (95 % interval: 91.0 % to 95.0 %)"}


@pytest.mark.parametrize("program", ["trainer_worker", "web", "service", "demo"])
def test_no_sentence_writes_a_raw_share(program: str) -> None:
    files = (ROOT / program).rglob("*.py")
    found = [f"{path.name}: {match[0]}" for path in files for match in RAW.finditer(path.read_text("utf-8"))]
    assert not found, found
