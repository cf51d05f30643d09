"""Limits how many streams and waiting calls may be open. These are not counted among the other connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator

from web.answers.refusal import Refusal
from web.door.connection import Connection, Phase


class StreamSlots:
    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._count_by_address: Counter[str] = Counter()
        self.taken = 0
        #: Set while no slot is taken.
        self.all_free = asyncio.Event()
        self.all_free.set()

    @contextlib.contextmanager
    def slot(self, connection: Connection) -> Iterator[None]:
        """While the context lasts, the connection counts as a stream. Raises Refusal if there are too many."""
        address = connection.address
        if self.taken >= self._most:
            raise _too_many(f"{self._most} streams and waiting calls are open", "max_streams")
        if self._count_by_address[address] >= self._most_per_address:
            raise _too_many(
                f"{self._most_per_address} streams and waiting calls of your address are open",
                "max_streams_per_address",
            )
        self.taken += 1
        self.all_free.clear()
        self._count_by_address[address] += 1
        connection.enter(Phase.STREAM)
        try:
            yield
        finally:
            self.taken -= 1
            self._count_by_address[address] -= 1
            if not self._count_by_address[address]:
                del self._count_by_address[address]
            if not self.taken:
                self.all_free.set()
            connection.enter(Phase.ANSWER)


def _too_many(what: str, setting: str) -> Refusal:
    return Refusal(
        "too_many_streams",
        f"{what}, which is the limit ([web] {setting}); close one, or ask again later without staying connected.",
    )
