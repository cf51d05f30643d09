"""Text that strangers choose: names of files, folders, users and workers, and parts of requests."""

from __future__ import annotations


def as_utf8(text: str) -> str:
    """Return `text` as valid UTF-8. Surrogates, as which Python reads undecodable file names, become "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")


def is_text(name: str) -> bool:
    """Whether JSON can hold the name of a file. One that is not UTF-8 has lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    """Return `text` on one line, without characters that a terminal would interpret or a reader could misread.

    Each character that Unicode does not call printable is replaced by its escape (`\\n`, `\\x1b`, `\\u202e`). These are
    control characters, separators of lines and paragraphs, marks that change the direction of writing, and undecodable
    bytes.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def decoded_table(content: bytes) -> str:
    """The text of a table that a person has saved: UTF-8, or UTF-16 as some spreadsheets write it.

    Raises UnicodeDecodeError.
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")
