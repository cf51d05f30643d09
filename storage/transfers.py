"""Carries out many transfers side by side, with a bound on how many, and with somebody who can stop them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from storage.errors import ConflictError, StorageError, UnreachableError
from storage.object_store import ObjectInfo, ObjectStore

#: How often the caller hears of the transfers, and can end them.
TELL_EVERY_S = 0.1

#: One transfer. It ends when it is cancelled.
Transfer = Callable[[], Awaitable[None]]


def carry_out(transfers: Iterable[Transfer], connections: int, tell: Callable[[], None]) -> None:
    """Carry out all transfers, `connections` at a time. The first error ends all others and is raised.

    tell: called every TELL_EVERY_S; an exception from it also ends them all, at once.
    """
    asyncio.run(_carry_out(iter(transfers), connections, tell))


async def _carry_out(transfers: Iterator[Transfer], connections: int, tell: Callable[[], None]) -> None:
    async def work() -> None:
        for transfer in transfers:
            await transfer()

    tell()
    running = {asyncio.ensure_future(work()) for _ in range(connections)}
    try:
        while running:
            ended, running = await asyncio.wait(running, timeout=TELL_EVERY_S, return_when=asyncio.FIRST_EXCEPTION)
            for each in ended:
                each.result()
            tell()
    finally:
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def fetch(store: ObjectStore, info: ObjectInfo, file: Path, moved: Callable[[int], None]) -> None:
    """Read an object into a file, and go on behind what an earlier try has left in it.

    moved: told of the bytes that have come, also of those that were there. Raises ConflictError if the object is not
    the listed one any more, UnreachableError, and OSError. What has come by then stays in the file.
    """
    with _growing(file, info.size_bytes) as grown:
        had_bytes = grown.size_bytes
        moved(had_bytes)
        if had_bytes < info.size_bytes:
            try:
                async for chunk in store.stream_async(info.name, info.etag, start=had_bytes):
                    grown.add(chunk)
                    moved(len(chunk))
            except StorageError as error:
                if had_bytes and not isinstance(error, ConflictError):
                    grown.empty()  # some servers send no parts of objects; the next try begins anew
                raise
        if grown.size_bytes != info.size_bytes:
            grown.empty()
            raise UnreachableError(
                f"Object storage sent another number of bytes than the {info.size_bytes} of "
                f"{store.url.file(info.name)}; try again later."
            )


@contextlib.contextmanager
def _growing(path: Path, most_bytes: int) -> Iterator[_GrowingFile]:
    """The file with what has come of an object so far. most_bytes: a longer file is of another one, and is emptied."""
    with open(path, "ab") as file:
        grown = _GrowingFile(file)
        if grown.size_bytes > most_bytes:
            grown.empty()
        yield grown


class _GrowingFile:
    """What has come of an object."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size_bytes = file.tell()

    def add(self, chunk: bytes) -> None:
        self._file.write(chunk)
        self.size_bytes += len(chunk)

    def empty(self) -> None:
        self._file.truncate(0)
        self.size_bytes = 0
