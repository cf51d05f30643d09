"""The names of folders and files that an upload makes from what its caller sends. Pure.

Each of userId, projectId, label and name becomes one part of a path, so nothing that a caller sends leads elsewhere.
"""

from __future__ import annotations

import re
import unicodedata

from protocol.corrections import CORRECTIONS_FILE
from protocol.litter import is_litter_folder
from protocol.project_layout import KEPT, MODELS
from web.folders.plain_places import below

#: The folder in the first data root for the pictures that callers send.
UPLOADS = "uploads"
MOST_CHARS, MOST_BYTES = 100, 255
#: Control characters, what stands for bytes that are not UTF-8, lone surrogates, what turns text around, and what
#: nobody sees, because two classes would look like one. U+200C and U+200D stay: some languages are written with them.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufffd\ud800-\udfff]"
)


class BadNameError(ValueError):
    """A text that can't be the name of a folder or file. The message continues a sentence that begins with the text."""


def part_of_path(text: str) -> str:
    """The text as one part of a path, in the usual form of Unicode (NFC). Raises BadNameError."""
    if not text or text != text.strip():
        raise BadNameError("is empty, or begins or ends with a space; send a plain name")
    if _UNPRINTABLE.search(text):
        raise BadNameError("has control characters or invisible ones, or is not UTF-8; send plain text")
    if "/" in text or "\\" in text:
        raise BadNameError("has a slash, but is to be the name of one folder or file; send it without slashes")
    if text.startswith("."):
        raise BadNameError("begins with a dot, as hidden files do; send another name")
    part = unicodedata.normalize("NFC", text)
    if len(part) > MOST_CHARS or len(part.encode()) > MOST_BYTES:
        raise BadNameError(f"is longer than {MOST_CHARS} characters or {MOST_BYTES} bytes; send a shorter name")
    if part in (MODELS, KEPT, CORRECTIONS_FILE) or is_litter_folder(part):
        raise BadNameError("is a name that TFModel or an operating system uses itself; send another name")
    return part


def part_of_id(text: str) -> str:
    """The same for userId and projectId. Two ids never share a folder, so they must be in that form already."""
    part = part_of_path(text)
    if part != text:
        raise BadNameError("is not in the form NFC of Unicode, so it would share its folder with another id")
    return part


def folder_of_user(root: str, user_id: str) -> str:
    """The folder of all projects that a user has uploaded. root: the first data root. Raises BadNameError."""
    return below(root, UPLOADS, part_of_id(user_id))


def numbered(name: str, number: int) -> str:
    """Another name for a picture whose name is taken: `rose.jpg` becomes `rose-2.jpg`. It is not too long either."""
    stem, dot, suffix = name.rpartition(".")
    end = f"-{number}{dot}{suffix}"
    stem = stem[: MOST_CHARS - len(end)]
    while len((stem + end).encode()) > MOST_BYTES:
        stem = stem[:-1]
    return stem + end
