"""Sizes as people read them. An MB has 2^20 bytes in settings, sentences, reports, commands and on the page."""

from __future__ import annotations

KB, MB, GB, TB = 2**10, 2**20, 2**30, 2**40


def size_in_words(size_bytes: float) -> str:
    """Such as "12.9 MB" or "999 bytes"."""
    for unit, unit_bytes in (("TB", TB), ("GB", GB), ("MB", MB), ("kB", KB)):
        if size_bytes >= unit_bytes:
            return f"{three_digits(size_bytes / unit_bytes)} {unit}"
    return f"{size_bytes:.0f} byte{'' if round(size_bytes) == 1 else 's'}"


def three_digits(number: float) -> str:
    """One decimal below 100, none above."""
    text = f"{number:.1f}" if number < 99.95 else f"{number:,.0f}"
    return text.removesuffix(".0")
