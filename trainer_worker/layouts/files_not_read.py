"""Sentences on files of other kinds that may hold what an error misses: pictures, or the classes of pictures."""

from __future__ import annotations

from protocol.litter import NO_PICTURES_BUT_LIKE_THEM, suffix_of
from protocol.text import printable
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.picture_index import name_of
from trainer_worker.layouts.tree import Tree

_MOST_NAMED = 3
_PACKED_VOLUME = ".nii.gz"
_MNIST = "-ubyte"
#: Kinds of files in which other programs keep the classes of pictures.
_LABEL_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".xml", ".xls", ".xlsx", ".ods"})
_LABEL_WORDS = ("label", "class", "list", "annot")


def pictures_not_read(tree: Tree) -> str:
    """A sentence, after a blank, on the first file that people take for pictures; "" for none."""
    for path in tree.files:
        if reason := _why_no_picture(path):
            return f" {printable(path)} is not read: {reason}."
    return ""


def labels_not_read(tree: Tree) -> str:
    """A sentence, after a blank, that names files which may hold the classes of pictures; "" for none."""
    labels = [path for path in tree.files if suffix_of(path) in _LABEL_SUFFIXES or _is_text_list(path)]
    return f" No classes are read from {some_of(labels, most=_MOST_NAMED)}." if labels else ""


def _why_no_picture(path: str) -> str:
    if path.endswith(_MNIST):
        return "it is a file of MNIST; save its pictures as PNG"
    return NO_PICTURES_BUT_LIKE_THEM.get(".nii" if path.lower().endswith(_PACKED_VOLUME) else suffix_of(path), "")


def _is_text_list(path: str) -> bool:
    return suffix_of(path) == ".txt" and any(word in name_of(path).lower() for word in _LABEL_WORDS)
