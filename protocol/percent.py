"""Shares from 0 to 1, such as scores, as sentences for people have them: in percent with one decimal."""

from __future__ import annotations

import math

#: A metric is a share if its name has one of these words. Others, such as a loss, are numbers of their own.
_SHARES = frozenset({"accuracy", "dice", "iou"})


def in_percent(share: float) -> str:
    """Such as "76.0 %"; "no number" for NaN and infinities. Only a share of exactly 1 is written as 100 %."""
    if not math.isfinite(share):
        return "no number"
    text = f"{100 * share:.1f}"
    return "> 99.9 %" if text == "100.0" and share < 1 else f"{text} %"


def metric_in_words(name: str, value: float) -> str:
    """Such as "training accuracy 91.3 %" or "loss 0.2143"."""
    is_share = not _SHARES.isdisjoint(name.split("_"))
    return f"{name.replace('_', ' ')} {in_percent(value) if is_share else f'{value:.4g}'}"
