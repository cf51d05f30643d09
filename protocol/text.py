"""Text that strangers choose: names of files, folders, users and workers, and parts of requests."""

from __future__ import annotations


def as_utf8(text: str) -> str:
    """`text` with each byte that was not UTF-8 (a surrogate, as Python decodes file names) shown as a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def printable(text: str) -> str:
    """`text` on one line, without characters that a terminal would interpret or a reader could misread.

    Every character that Unicode does not call printable is written as its escape (`\\n`, `\\x1b`, `\\u202e`): controls,
    line and paragraph separators, marks that turn the direction of writing, and undecodable bytes.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
