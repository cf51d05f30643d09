"""Computes the comparison of two models once more, from the held_out.json of both, and reads it off the report."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import permutation_test

from tests.report_reading import ReportReader
from tests.train.written_figures import percent


def check_comparison(now: Path, before: Path) -> None:
    """now, before: the folders of the models."""
    told = json.loads((now / "metrics.json").read_text("utf-8"))["comparison"]
    pairs = np.array(_of_both(now, before))
    better, worse = int((pairs[:, 0] > pairs[:, 1]).sum()), int((pairs[:, 0] < pairs[:, 1]).sum())
    in_tests = set(np.unique(pairs)) <= {0.0, 1.0}
    p_value = _by_counting(better, better + worse) if in_tests else _by_swapping(pairs)

    assert (told["with_task"], told["pictures"]) == (before.name, len(pairs))
    assert (told["now_only_right"], told["before_only_right"]) == (better, worse)
    assert (told["score_now"], told["score_before"]) == pytest.approx(pairs.mean(axis=0).tolist())
    assert told["p_value"] == pytest.approx(p_value, abs=1e-9 if in_tests else 0.02)
    assert told["promoted"] == (p_value >= 0.05)
    page = ReportReader((now / "report.html").read_text("utf-8"))
    facts = dict(page.sections["comparison"].pairs)
    assert (facts["Model before"], facts["Photos that score both"]) == (before.name, str(len(pairs)))
    assert facts["Score of this model"] == percent(pairs[:, 0].mean())
    assert facts["Score of the model before"] == percent(pairs[:, 1].mean())
    assert (facts["Right now only"], facts["Right before only"]) == (str(better), str(worse))
    assert facts["models/latest"] == ("was moved to this model" if told["promoted"] else "stayed with the model before")
    assert ("This model is not in use." in page.sections[""].texts) == (not told["promoted"])


def _of_both(now: Path, before: Path) -> list[tuple[float, float]]:
    """The scores of the pictures that both hold out, with the same truth."""
    new, old = (json.loads((folder / "held_out.json").read_text("utf-8"))["pictures"] for folder in (now, before))
    return [(new[name][1], old[name][1]) for name in new if name in old and new[name][0] == old[name][0]]


def _by_counting(better: int, differing: int) -> float:
    """How often a fair coin falls on one side `better` times or fewer."""
    return float(Fraction(sum(math.comb(differing, number) for number in range(better + 1)), 2**differing))


def _by_swapping(pairs: Any) -> float:
    """How often swapping the scores of pictures at random makes the new model look as bad."""
    found = permutation_test(
        (pairs[:, 0], pairs[:, 1]),
        lambda a, b: np.mean(a - b),
        permutation_type="samples",
        alternative="less",
        rng=np.random.default_rng(1),
    )
    return float(found.pvalue)
