"""Trees for the tests of layouts: names without files, or a real folder."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from trainer_worker.layouts.tree import Tree


def tree_of(names: Iterable[str] = (), contents: Mapping[str, bytes | str] | None = None) -> Tree:
    """names: empty files. contents: small files with what they hold."""
    held = {path: text.encode() if isinstance(text, str) else text for path, text in (contents or {}).items()}
    files = dict.fromkeys(names, 1) | {path: len(content) for path, content in held.items()}
    folders: set[str] = set()
    for path in files:
        while path := posixpath.dirname(path):
            folders.add(path)
    return Tree(dict(sorted(files.items())), tuple(sorted(folders)), held.get)
