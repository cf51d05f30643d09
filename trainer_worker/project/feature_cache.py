"""Keeps the features of a project's pictures from task to task, under a hash of each picture's content.

    projectDir/.tfmodel/features/<engine>/<sha256 of the picture's file>.<view>

When a few photos are added, the next task reads and computes only those. Every file is complete or absent, because it
is written under a temporary name and then renamed. It is not synced, so it has a checksum: after a power cut a feature
may be missing, but never wrong. Users may delete all of it at any time, and two tasks may use it at once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import zlib
from collections.abc import Sequence

import numpy as np

from trainer_worker.project.folder import ProjectFolder

#: The limit for one project. Beyond it the least recently used files are removed (docs/choices.md, "Features are cached
#: by content").
LIMIT_BYTES = 1024**3
#: Features of the bundled networks are far smaller. A file with larger ones was not written by us, and their squares
#: must not overflow in what is computed from them.
MOST_VALUE = 1e6
FEATURES = "features"

log = logging.getLogger(__name__)

_CHECKSUM_BYTES = 4


class FeatureCache:
    """Stores float32 arrays of fixed shapes, by content and view.

    content: the SHA-256 of the picture's file, as hex digits. view: the name of the picture's variation.
    """

    def __init__(self, project: ProjectFolder, engine: str, shapes: Sequence[tuple[int, ...]]) -> None:
        """engine: names all that a feature depends on besides the picture. shapes: those of the arrays, in order."""
        self.engine = engine
        self._project = project
        self._shapes = shapes
        self._sizes = [int(np.prod(shape)) for shape in shapes]

    def load(self, content: str, view: str) -> list[np.ndarray] | None:
        """The arrays, or None if they are not in the cache."""
        size_bytes = 4 * sum(self._sizes) + _CHECKSUM_BYTES
        try:
            with (
                self._project.kept(FEATURES, self.engine) as folder,
                folder.open(f"{content}.{view}", size_bytes) as file,
            ):
                stored = file.read(size_bytes)
                os.utime(file.fileno())
        except OSError:
            return None
        values = memoryview(stored)[:-_CHECKSUM_BYTES]
        if len(stored) != size_bytes or zlib.crc32(values) != int.from_bytes(stored[-_CHECKSUM_BYTES:]):
            log.warning("action=features.ignored picture=%s reason='their checksum does not fit'", content)
            return None
        numbers = np.frombuffer(values, np.float32)
        if not np.abs(numbers).max(initial=0.0) <= MOST_VALUE:  # written so that NaN is refused too
            return None
        parts = np.split(numbers, np.cumsum(self._sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    def has(self, content: str, view: str) -> bool:
        """Whether there is a file for this picture. It is not read, so it may still be a damaged one."""
        try:
            with self._project.kept(FEATURES, self.engine) as folder:
                folder.status(f"{content}.{view}")
        except OSError:
            return False
        return True

    def contents(self, view: str) -> set[str]:
        """All pictures of which there is a file for this view."""
        ending = f".{view}"
        try:
            with self._project.kept(FEATURES, self.engine) as folder:
                return {name.removesuffix(ending) for name in folder.names() if name.endswith(ending)}
        except OSError:
            return set()

    def save(self, content: str, view: str, arrays: Sequence[np.ndarray]) -> None:
        """Keep the arrays. If the disk is full, the next task takes longer, but this one does not fail."""
        values = b"".join(np.ascontiguousarray(array, np.float32).tobytes() for array in arrays)
        checksum = zlib.crc32(values).to_bytes(_CHECKSUM_BYTES)
        try:
            with self._project.kept(FEATURES, self.engine, make=True) as folder:
                folder.replace(f"{content}.{view}", [values, checksum], synced=False)
        except OSError:
            self._project.refuse_if_gone()


def trim_features(project: ProjectFolder, limit_bytes: int = LIMIT_BYTES) -> None:
    """Remove the least recently used files until at most limit_bytes are left."""
    found = []
    with contextlib.suppress(OSError), project.kept(FEATURES) as engines:
        for engine in engines.names():
            with contextlib.suppress(OSError), engines.folder(engine) as folder:
                for name in folder.names():
                    with contextlib.suppress(OSError):  # another task may be removing it
                        status = folder.status(name)
                        if stat.S_ISREG(status.st_mode):
                            found.append((status.st_mtime, status.st_size, engine, name))
        left_bytes = sum(size for _, size, _, _ in found)
        for _, size, engine, name in sorted(found):
            if left_bytes <= limit_bytes:
                return
            with contextlib.suppress(OSError), engines.folder(engine) as folder:
                folder.remove(name)
            left_bytes -= size
