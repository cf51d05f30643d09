"""What files hold, whatever they are called. No TensorFlow here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

#: Enough to keep a disk busy while others are being hashed.
THREADS = 4


def content_hashes(files: Sequence[Path]) -> list[str]:
    """SHA-256 of each file, as hex digits; "" for one that cannot be read."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(_sha256, files))


def content_groups(hashes: Sequence[str]) -> np.ndarray:
    """A number for each file, int64 (n,); byte-identical files, and only those, share one."""
    numbers: dict[str, int] = {}
    keys = (content or f"unreadable {row}" for row, content in enumerate(hashes))
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
