"""Sizes as people read them. An MB has 2^20 bytes in settings, sentences, reports, commands and on the page."""

from __future__ import annotations

KB, MB, GB, TB = 2**10, 2**20, 2**30, 2**40


def size_in_words(size_bytes: float) -> str:
    """Such as "12.9 MB" or "999 bytes"."""
    if size_bytes < KB:
        return f"{size_bytes:.0f} byte{'' if round(size_bytes) == 1 else 's'}"
    for unit, unit_bytes in (("kB", KB), ("MB", MB), ("GB", GB)):
        if round(size_bytes / unit_bytes) < KB:
            return f"{three_digits(size_bytes / unit_bytes)} {unit}"
    return f"{three_digits(size_bytes / TB)} TB"


def three_digits(number: float) -> str:
    """One decimal below 100, none above."""
    text = f"{number:.1f}" if number < 99.95 else f"{number:,.0f}"
    return text.removesuffix(".0")


def whole_mb(size_mb: float) -> str:
    """Such as "2,047 MB", rounded down: what falls short of a setting in MB never reads as if it reached it."""
    return f"{max(0, int(size_mb)):,} MB"
