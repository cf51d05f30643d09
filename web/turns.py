"""Lets calls that change the same thing wait for each other, while those that change different things go on."""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary


class Turns:
    """Create it anywhere, and use it inside one event loop."""

    def __init__(self) -> None:
        #: A lock lives as long as somebody waits for it or holds it.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        """The lock of what the key names, for example the path of a folder."""
        return self._locks.setdefault(key, asyncio.Lock())
