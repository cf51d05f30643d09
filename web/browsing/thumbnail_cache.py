"""Keeps the thumbnails that were asked for last, so that opening a page again costs nothing."""

from __future__ import annotations

from collections import OrderedDict

MOST_BYTES = 16 * 1024**2


class ThumbnailCache:
    """JPEGs by their ETags, which differ for each content and size. The ones that were asked for last stay."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._jpegs: OrderedDict[str, bytes] = OrderedDict()
        self._held_bytes = 0

    def get(self, etag: str) -> bytes | None:
        jpeg = self._jpegs.get(etag)
        if jpeg is not None:
            self._jpegs.move_to_end(etag)
        return jpeg

    def put(self, etag: str, jpeg: bytes) -> None:
        self._held_bytes += len(jpeg) - len(self._jpegs.pop(etag, b""))
        self._jpegs[etag] = jpeg
        while self._held_bytes > self._most_bytes:
            self._held_bytes -= len(self._jpegs.popitem(last=False)[1])
