"""A hash of what the code does: comments, docstrings and layout don't change it."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

from conf.settings import ROOT


def code_hash(folders: Iterable[str], root: Path = ROOT) -> str:
    """Of all Python files in these folders, relative to root."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\n{_bare(path.read_text(encoding='utf-8'))}\n".encode())
    return digest.hexdigest()[:12]


def _bare(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:]
    return ast.dump(tree)
