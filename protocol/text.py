"""Text that strangers have chosen: names of files, folders, users and workers, and what they have sent."""

from __future__ import annotations


def as_utf8(text: str) -> str:
    """`text` with each byte that was not UTF-8 (a surrogate, as Python decodes file names) shown as a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """`text` on one line, with nothing that a terminal or a reader could take for anything but its characters.

    Every character that Unicode calls no printable one is written as its escape (`\\n`, `\\x1b`, `\\u202e`): controls,
    line and paragraph separators, marks that turn the direction of writing, and what stands for undecodable bytes.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
