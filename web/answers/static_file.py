"""A file that comes with the program and is sent to browsers as it is."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Callable


class StaticFile:
    """Its content is read, hashed and compressed once, when somebody first asks for it."""

    def __init__(self, media_type: str, read: Callable[[], bytes]) -> None:
        self.media_type = media_type
        self._read = read

    @functools.cached_property
    def content(self) -> bytes:
        return self._read()

    @functools.cached_property
    def compressed(self) -> bytes:
        """With gzip. The time stamp is left out, so that the same content is always the same bytes."""
        return gzip.compress(self.content, compresslevel=9, mtime=0)

    def kept(self, compressed: bool) -> bytes | None:
        """The content if it has been asked for before, so that it is at hand without reading or compressing."""
        found: bytes | None = vars(self).get("compressed" if compressed else "content")
        return found

    @functools.cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()
