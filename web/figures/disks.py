"""The space of the data roots.

It is read in threads, because a call to a network disk that has gone away can take minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from web.figures.free_space import Space, space_of

#: How long a call waits for the disks.
PATIENCE_S = 0.5


class Disks:
    """Create it anywhere, and call `look` inside a running event loop."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        #: At most one read for each folder, so that a disk that does not answer holds one thread only.
        self._under_way: dict[Path, asyncio.Task[Space | None]] = {}
        #: What `look` found last; None for a folder that is missing or whose disk did not answer in time.
        self.spaces: Mapping[Path, Space | None] = {}

    async def look(self) -> Mapping[Path, Space | None]:
        """Read the space of each folder, within PATIENCE_S."""
        for folder in self._folders:
            before = self._under_way.get(folder)
            if before is None or before.done():
                self._under_way[folder] = asyncio.create_task(asyncio.to_thread(space_of, folder))
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=PATIENCE_S)
        self.spaces = {folder: read.result() if read.done() else None for folder, read in self._under_way.items()}
        return self.spaces
