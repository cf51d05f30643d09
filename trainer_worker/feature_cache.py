"""Features of a project's pictures, kept from task to task by what the pictures hold (no TensorFlow).

    projectDir/.tfmodel/features/<engine>/<sha256 of the picture's file>.<view>

After a few more photos only those are read and computed. Every file is complete or absent (temporary name, rename)
and carries a checksum, since it is not synced: a power cut costs work, never a wrong feature. All of it may be
deleted at any time, and two tasks may use it at once.
"""

from __future__ import annotations

import contextlib
import os
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

#: Of one project; the files that were not used for longest are removed beyond it. A picture of 224 px takes 43 kB.
LIMIT_BYTES = 1024**3
_CHECKSUM_BYTES = 4


class FeatureCache:
    """float32 arrays of fixed shapes, by content and view."""

    def __init__(self, project_dir: Path, engine: str, shapes: Sequence[tuple[int, ...]]) -> None:
        """engine: names everything that a feature depends on besides the picture. shapes: of the arrays, in order."""
        self._folder = project_dir / ".tfmodel" / "features" / engine
        self._shapes = shapes
        self._sizes = [int(np.prod(shape)) for shape in shapes]

    def load(self, content: str, view: str) -> list[np.ndarray] | None:
        """The arrays, or None when they are not there."""
        path = self._path(content, view)
        try:
            stored = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        values = memoryview(stored)[:-_CHECKSUM_BYTES]
        if len(values) != 4 * sum(self._sizes) or zlib.crc32(values) != int.from_bytes(stored[-_CHECKSUM_BYTES:]):
            return None
        parts = np.split(np.frombuffer(values, np.float32), np.cumsum(self._sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def save(self, content: str, view: str, arrays: Sequence[np.ndarray]) -> None:
        """A disk that takes nothing costs the next task's time, not this one."""
        path = self._path(content, view)
        values = b"".join(np.ascontiguousarray(array, np.float32).tobytes() for array in arrays)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(values + zlib.crc32(values).to_bytes(_CHECKSUM_BYTES))
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _path(self, content: str, view: str) -> Path:
        return self._folder / f"{content}.{view}"


def trim_features(project_dir: Path, limit_bytes: int = LIMIT_BYTES) -> None:
    """Remove what was not used for longest, until at most limit_bytes are left."""
    found = []
    for path in project_dir.glob(".tfmodel/features/*/*"):
        with contextlib.suppress(OSError):  # another task may be at it
            status = path.stat()
            found.append((status.st_mtime, status.st_size, path))
    left_bytes = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if left_bytes <= limit_bytes:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        left_bytes -= size
