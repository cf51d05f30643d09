"""Shares from 0 to 1, such as scores, as sentences for people have them: in percent with one decimal."""

from __future__ import annotations

import math
from collections.abc import Mapping

#: A metric is a share if its name has one of these words. Others, such as a loss, are numbers of their own.
_SHARES = frozenset({"accuracy", "dice", "iou"})


def in_percent(share: float) -> str:
    """Such as "76.0 %"; "no number" for NaN and infinities. Only 0 and 1 themselves are written as 0 % and 100 %."""
    if not math.isfinite(share):
        return "no number"
    text = f"{100 * share:.1f}"
    if text == "100.0" and share < 1:
        return "> 99.9 %"
    return "< 0.1 %" if text == "0.0" and share > 0 else f"{text.replace('-0.0', '0.0')} %"


def metric_in_words(name: str, value: float) -> str:
    """Such as "training accuracy 91.3 %", "loss 0.2143" or "images 12,345"."""
    is_share = not _SHARES.isdisjoint(name.split("_"))
    return f"{name.replace('_', ' ')} {in_percent(value) if is_share else _number(value)}"


def metrics_in_words(metrics: Mapping[str, float]) -> str:
    """Metrics by their names, one after the other. The ends of an interval follow the score that they belong to, such
    as "accuracy 93.2 % (95 % interval: 91.0 % to 95.0 %), images 120"."""
    scores = scores_in_words(metrics)
    ends = {f"{name}_{end}" for name in scores for end in ("low", "high")}
    rest = {name: metric_in_words(name, value) for name, value in metrics.items() if name not in ends}
    return ", ".join((rest | scores).values())


def scores_in_words(metrics: Mapping[str, float]) -> dict[str, str]:
    """Each metric that has an interval, by its name, such as "accuracy 93.2 % (95 % interval: 91.0 % to 95.0 %)"."""
    return {
        name: f"{metric_in_words(name, value)} "
        f"(95 % interval: {in_percent(metrics[f'{name}_low'])} to {in_percent(metrics[f'{name}_high'])})"
        for name, value in metrics.items()
        if f"{name}_low" in metrics and f"{name}_high" in metrics
    }


def _number(value: float) -> str:
    """Four digits; all of those in front of the point."""
    if not math.isfinite(value):
        return "no number"
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:.4g}"
