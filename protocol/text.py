"""Text from file names: Linux allows any bytes in them, everything that we write and send is UTF-8."""

from __future__ import annotations


def as_utf8(text: str) -> str:
    """`text` with each byte that was not UTF-8 (a surrogate, as Python decodes file names) shown as a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")
