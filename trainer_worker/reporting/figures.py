"""Writes numbers the way people read them. What is missing, or no finite number, becomes a dash. Pure."""

from __future__ import annotations

import datetime
import math
from typing import Any

from protocol.sizes import size_in_words

MISSING = "–"
#: From this many pictures on, a tenth of a percent means something.
FINE_FROM_PICTURES = 1000
#: What floating point may add to a whole number of percent.
_ROUNDING = 1e-9


def finite(value: Any) -> float | None:
    """The value as a float; None for what is missing, NaN and infinities."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def percent(share: Any, of: int = 0) -> str:
    """A share from 0 to 1. of: how many pictures it was counted on; few of them don't bear decimals.

    Only a share of exactly 0 or 1 is written as 0 % or 100 %.
    """
    number = finite(share)
    if number is None:
        return MISSING
    decimals = 1 if of >= FINE_FROM_PICTURES else 0
    text = f"{100 * number:.{decimals}f}"
    least = 10.0**-decimals
    if float(text) == 0 and number > 0:
        return f"< {least:g} %"
    if float(text) == 100 and number < 1:
        return f"> {100 - least:g} %"
    return f"{text} %"


def percent_range(low: Any, high: Any) -> str:
    """An interval of a share, such as "87 to 94 %", rounded outwards; "" if one of its ends is missing."""
    first, last = finite(low), finite(high)
    if first is None or last is None:
        return ""
    return f"{math.floor(100 * first + _ROUNDING)} to {math.ceil(100 * last - _ROUNDING)} %"


def percent_in_words(share: Any) -> str:
    """A share as it stands in a sentence, such as "91 %" or "more than 99 %"."""
    return percent(share).replace("> ", "more than ").replace("< ", "less than ")


def points(share: Any) -> str:
    """A difference of two shares, such as "3.1 percentage points"."""
    number = finite(share)
    if number is None:
        return MISSING
    return "less than 0.1 percentage points" if 0 < number < 0.0005 else f"{100 * number:.1f} percentage points"


def decimal(value: Any, places: int = 2) -> str:
    number = finite(value)
    return MISSING if number is None else f"{number:.{places}f}"


def count(value: Any) -> str:
    """A whole number with its thousands apart."""
    number = finite(value)
    return MISSING if number is None else f"{round(number):,}"


def counted(value: int, one: str, many: str = "") -> str:
    """ "1 picture", "2 pictures"."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def size(size_bytes: Any) -> str:
    """Such as "12.9 MB"."""
    number = finite(size_bytes)
    return MISSING if number is None else size_in_words(number)


def duration(seconds: Any) -> str:
    """Such as "0.4 ms", "3 ms", "35 s", "2 min 5 s" or "1 h 20 min"."""
    number = finite(seconds)
    if number is None:
        return MISSING
    if number < 1:
        return f"{_short(1000 * number) if number < 0.01 else f'{1000 * number:.0f}'} ms"
    if number < 60:
        return f"{_short(number)} s" if number < 10 else f"{number:.0f} s"
    whole = round(number)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def day(date: datetime.date) -> str:
    return f"{date.day} {date:%B %Y}"


def _short(number: float) -> str:
    """Such as "3.1" or "4"."""
    return f"{number:.1f}".removesuffix(".0")
