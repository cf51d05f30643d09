"""Computes the score of a segmenter's report once more, from the Dice of its pictures and with SciPy's bootstrap."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import bootstrap

from tests.report_reading import ReportReader
from tests.train.written_figures import outwards, percent


def check_mask_report(folder: Path) -> None:
    """folder: of a model of one foreground."""
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    page = ReportReader((folder / "report.html").read_text("utf-8"))
    dice, score = [entry["dice"] for entry in metrics["held_out"]], metrics["score"]
    # A picture of 0 and one of 1 are added, see docs/choices.md, "Intervals of Dice".
    resampled = bootstrap(
        ([*dice, 0.0, 1.0],), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(3)
    ).confidence_interval

    assert score["value"] == pytest.approx(math.fsum(dice) / len(dice))
    assert (score["low"], score["high"]) == pytest.approx((resampled.low, resampled.high), abs=0.02)
    assert score["enough"] == (score["high"] - score["low"] <= 0.3)
    likely = outwards(score["low"], score["high"])
    assert f"will overlap by {likely} on average" in score["sentence"]
    assert page.sections[""].title == score["sentence"].split(". ")[0] + "."
    scale = next(attributes["aria-label"] for _, attributes in page.elements if attributes.get("class") == "scale")
    everywhere = metrics["baseline"]["all_foreground_dice"]
    assert scale == (
        f"A scale from 0 to 1: {percent(score['value'])} measured; {likely} likely; "
        f"{percent(everywhere)} by marking everything as foreground"
    )
    assert ("Measured on", f"{len(dice)} photos") in page.sections[""].pairs
    worst_first = sorted(metrics["held_out"], key=lambda entry: entry["dice"])
    shown = page.table("scores", f"The {min(20, len(dice))} worst")
    assert shown == [[entry["file"], percent(entry["dice"])] for entry in worst_first[:20]]
    files = page.table("files", "Exported")
    assert [row[2] for row in files] == [percent(file["score"]) for file in metrics["exports"]["formats"]]
