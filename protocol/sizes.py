"""Sizes as people read them. An MB has 2^20 bytes in settings, sentences, reports, commands and on the page."""

from __future__ import annotations

KB, MB, GB, TB = 2**10, 2**20, 2**30, 2**40


def size_in_words(size_bytes: float) -> str:
    """Such as "12.9 MB" or "999 bytes". The page's bytes() in words.js says the same."""
    if size_bytes < KB:
        return f"{size_bytes:,.0f} byte{'' if round(size_bytes) == 1 else 's'}"
    for unit, unit_bytes in (("kB", KB), ("MB", MB), ("GB", GB)):
        if round(size_bytes / unit_bytes) < KB:
            return f"{_three_digits(size_bytes / unit_bytes)} {unit}"
    return f"{_three_digits(size_bytes / TB)} TB"


def _three_digits(number: float) -> str:
    """Such as "1.95", "12.9", "346" or "2": a setting of 2000 MB must not read as 2 GB."""
    decimals = 2 if number < 9.995 else 1 if number < 99.95 else 0
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def whole_mb(size_mb: float) -> str:
    """Such as "2,047 MB", rounded down: what falls short of a setting in MB never reads as if it reached it."""
    return f"{max(0, int(size_mb)):,} MB"
