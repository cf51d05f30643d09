"""Copies of objects on a disk of this machine, so that they are opened, hashed and read like any other file.

A copy belongs to an object and its ETag, so it never changes. Those that were used last stay, as far as the space for
them goes. What is lent stays in any case. A copy that several callers want is fetched once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from storage.errors import ConflictError
from storage.object_store import CHUNK_BYTES, ObjectInfo, ObjectStore
from web.answers.refusal import Refusal
from web.folders.storage_answers import told
from web.folders.threads import TIMEOUT_S, Threads

log = logging.getLogger("web")

#: Objects that are fetched side by side. Of each, one part is in memory.
MOST_FETCHES = 16


class _Copy:
    """ready: ends when the whole object has been fetched. lent: how many callers use it."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path, self.size_bytes = path, size_bytes
        self.lent = 0
        self.ready: asyncio.Task[None]


class ObjectCopies:
    """Create it anywhere, and use it inside one event loop."""

    def __init__(self, folder: Path, most_bytes: int, threads: Threads) -> None:
        """folder: for the copies alone. What an earlier process has left in it is removed at the first fetch."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._threads = threads
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self._turns = asyncio.Semaphore(MOST_FETCHES)
        self._is_empty: asyncio.Future[None] | None = None

    def has(self, store: ObjectStore, info: ObjectInfo) -> bool:
        """Whether there is a copy of this content already."""
        copy = self._copies.get(_key(store, info))
        return copy is not None and copy.ready.done()

    @contextlib.asynccontextmanager
    async def lent(self, store: ObjectStore, info: ObjectInfo) -> AsyncIterator[Path]:
        """The path of a copy, which stays until the block ends. info: the object as the store has it now.

        Raises Refusal, and FileNotFoundError if the object has gone meanwhile.
        """
        key = _key(store, info)
        copy = self._copies.get(key) or self._begun(key, store, info)
        self._copies.move_to_end(key)
        copy.lent += 1
        try:
            await asyncio.shield(copy.ready)
            yield copy.path
        finally:
            copy.lent -= 1

    def _begun(self, key: str, store: ObjectStore, info: ObjectInfo) -> _Copy:
        """Make room, and begin to fetch the object. Raises Refusal."""
        self._make_room(info)
        # Each copy has a name of its own, because a thread may still be about to remove an earlier copy of the object.
        copy = self._copies[key] = _Copy(self._folder / secrets.token_hex(16), info.size_bytes)
        copy.ready = asyncio.create_task(self._fetch(key, copy, store, info))
        copy.ready.add_done_callback(_noticed)
        return copy

    def _make_room(self, info: ObjectInfo) -> None:
        held_bytes = sum(copy.size_bytes for copy in self._copies.values())
        for key, copy in list(self._copies.items()):
            if held_bytes + info.size_bytes <= self._most_bytes:
                return
            if not copy.lent and copy.ready.done():
                del self._copies[key]
                held_bytes -= copy.size_bytes
                self._threads.start(copy.path.unlink, missing_ok=True)
        if held_bytes + info.size_bytes > self._most_bytes:
            raise Refusal(
                "file_unreadable",
                f"The file has {info.size_bytes / 1024**2:.0f} MB, and of the {self._most_bytes // 1024**2} MB for "
                f"copies of objects, {held_bytes / 1024**2:.0f} MB are in use; try again in a moment, or raise [web] "
                "storage_copies_mb.",
            )

    async def _fetch(self, key: str, copy: _Copy, store: ObjectStore, info: ObjectInfo) -> None:
        """Each part is waited for for a bounded time, however many there are."""
        fetching = _Fetching(store, info, copy.path)
        try:
            async with self._turns:
                await self._emptied()
                while await self._threads.run(fetching.add_part):
                    pass
        except BaseException as error:
            del self._copies[key]
            self._threads.start(fetching.give_up)
            if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
                reason = error.strerror or type(error).__name__
                log.warning("action=storage.not_copied path=%s error=%r", copy.path, reason)
                words = f"The file can't be copied from object storage ({reason}); try again, or tell the operator."
                raise Refusal("file_unreadable", words) from error
            raise
        self._threads.start(fetching.close)

    async def _emptied(self) -> None:
        """Remove what an earlier process has left, once."""
        if self._is_empty is None:
            self._is_empty = asyncio.ensure_future(self._threads.run(_make_empty, self._folder))
            self._is_empty.add_done_callback(_noticed)
        await asyncio.shield(self._is_empty)


class _Fetching:
    """Writes an object to a file, part by part. Its methods run in threads."""

    def __init__(self, store: ObjectStore, info: ObjectInfo, path: Path) -> None:
        self._info, self._path = info, path
        self._parts: Iterator[bytes] = store.stream(info.name, etag=info.etag)
        self._written_bytes = 0
        #: Held while a part is fetched. A caller may have given up by then.
        self._lock = threading.Lock()

    def add_part(self) -> bool:
        """False after the last part. Raises OSError and Refusal."""
        with self._lock, told():
            try:
                part = self._next_part()
            except ConflictError as error:
                raise OSError(None, "it was replaced a moment ago") from error
            with open(self._path, "ab" if self._written_bytes else "wb") as file:
                file.write(part)
            self._written_bytes += len(part)
            if not part and self._written_bytes != self._info.size_bytes:
                raise OSError(None, f"{self._written_bytes} of {self._info.size_bytes} bytes have arrived")
            return bool(part)

    def _next_part(self) -> bytes:
        """About CHUNK_BYTES; b"" at the end. Ends about when its caller stops to wait, however slow the storage is."""
        part, give_up_at_s = bytearray(), time.monotonic() + TIMEOUT_S
        while len(part) < CHUNK_BYTES and (chunk := next(self._parts, b"")):
            part += chunk
            if time.monotonic() > give_up_at_s:
                self._parts = iter(())
                raise TimeoutError(None, "the storage is too slow")
        return bytes(part)

    def close(self) -> None:
        with self._lock:
            self._parts = iter(())  # the request ends when nobody refers to it

    def give_up(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)


def _key(store: ObjectStore, info: ObjectInfo) -> str:
    return hashlib.sha256(f"{store.url.file(info.name)}\n{info.etag}".encode()).hexdigest()


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)


def _noticed(ended: asyncio.Future[None]) -> None:
    """So that asyncio does not report an error where all callers have gone."""
    if not ended.cancelled():
        ended.exception()
