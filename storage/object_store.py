"""The objects of one project, or of one data root, in object storage. A thin layer over obstore.

It bounds how long calls take, and turns the client's errors into sentences (errors.py). All names are relative to the
URL that the store was opened for, so no call reaches anything outside it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conf.cluster_packages import INSTALL
from conf.storage_settings import StorageSettings
from protocol.project_url import ProjectUrl
from storage.errors import MissingObjectError, StorageError, TooLargeError, explained

if TYPE_CHECKING:
    import obstore.store

#: Larger files are sent in parts of this size, _PARTS_AT_ONCE at a time.
PART_BYTES = 8 * 1024**2
_PARTS_AT_ONCE = 4
#: The size of the chunks of a stream, of which it holds one in memory.
CHUNK_BYTES = 1024**2
#: A request may be tried this often again, after pauses that grow from the first to the second of these.
RETRIES = 5
_PAUSES_S = (0.2, 5.0)
#: A request that sends something may take this many times `timeout_s`, and one with a small answer this many. One that
#: reads an object may take as long as it wants, as long as it is never silent for `timeout_s`.
_SENDING_FACTOR = 10
_ASKING_FACTOR = 2
_READING_LIMIT = timedelta(days=1)

NOT_INSTALLED = f"projectDir is a URL of object storage, and the package obstore is not installed; run '{INSTALL}'."


class StorageNotInstalledError(StorageError):
    """The optional package obstore is missing. The text says how to install it."""


@dataclass(frozen=True)
class ObjectInfo:
    """An object as a listing shows it. name: relative to the store. etag: changes when the content does."""

    name: str
    size_bytes: int
    etag: str
    modified_at_s: float


class ObjectStore:
    """All calls block, and raise StorageError. Calls may come from several threads at once."""

    def __init__(
        self,
        url: ProjectUrl,
        asking: obstore.store.ObjectStore,
        reading: obstore.store.ObjectStore,
        writing: obstore.store.ObjectStore,
    ) -> None:
        """asking, reading, writing: the same store with different limits on time, see open_store."""
        self.url = url
        self._asking = asking
        self._reading = reading
        self._writing = writing

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects in the folder `prefix` and below it, in any order.

        Some programs mark a folder by an empty object with its name, which stands among the others without its slash.
        Raises BadNameError if one of the objects has a name that no file can have.
        """
        with self._errors(prefix):
            for chunk in self._asking.list(prefix or None, chunk_size=1000):
                yield from (info for info in map(_info, chunk) if info.name)

    async def list_async(self, prefix: str = "") -> AsyncIterator[Sequence[ObjectInfo]]:
        """Like `list`, page by page, for a caller that may be told to stop."""
        with self._errors(prefix):
            async for chunk in self._asking.list(prefix or None, chunk_size=1000):
                yield [info for info in map(_info, chunk) if info.name]

    def list_folder(self, prefix: str = "") -> tuple[Sequence[str], Sequence[ObjectInfo]]:
        """The folders and the objects directly in the folder `prefix`, by their whole names, sorted."""
        with self._errors(prefix):
            listed = self._asking.list_with_delimiter(prefix or None)
            objects = sorted(map(_info, listed["objects"]), key=lambda info: info.name)
            folders = sorted(listed["common_prefixes"])
        # What is named like the folder itself, or like one in it, marks a folder: the client cut its last slash off.
        marked = {prefix.rstrip("/"), *folders}
        return folders, [info for info in objects if info.name not in marked]

    def get(
        self, name: str, span: tuple[int, int] | None = None, most_bytes: int | None = None, etag: str = ""
    ) -> bytes:
        """The content of a small object. span: (first byte, byte after the last one) of the part that is wanted.

        most_bytes: raise TooLargeError for an object with more. etag: as for `stream`.
        """
        parts: list[bytes] = []
        with self._errors(name):
            for part in self._asking.get(name, options=_get_options(etag, span)).stream(min_chunk_size=CHUNK_BYTES):
                parts.append(bytes(part))
                if most_bytes is not None and sum(map(len, parts)) > most_bytes:
                    raise TooLargeError(f"{self.url.file(name)} has more than {most_bytes} bytes.")
        return b"".join(parts)

    def stream(self, name: str, etag: str = "") -> Iterator[bytes]:
        """The content in chunks as they arrive. etag: raise ConflictError if the object has changed since."""
        with self._errors(name):
            for chunk in self._reading.get(name, options=_get_options(etag, None)).stream(min_chunk_size=1):
                yield bytes(chunk)

    async def stream_async(self, name: str, etag: str = "", start: int = 0) -> AsyncIterator[bytes]:
        """Like `stream`, for a caller that loads many objects at once. start: the first byte that is wanted."""
        with self._errors(name):
            span = {"offset": start} if start else None
            found = await self._reading.get_async(name, options=_get_options(etag, span))
            if found.meta["size"] <= CHUNK_BYTES:
                yield bytes(await found.bytes_async())
                return
            async for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    async def head_async(self, name: str, etag: str, size_bytes: int) -> bytes:
        """The first bytes of an object. etag: as for `stream`."""
        with self._errors(name):
            found = await self._reading.get_async(name, options=_get_options(etag, (0, size_bytes)))
            return bytes(await found.bytes_async())

    def put(self, name: str, content: bytes | Path, if_absent: bool = False, if_etag: str = "") -> str:
        """Write an object, whole or not at all, and return its ETag.

        A file without a condition goes up in parts. if_absent, if_etag: raise ConflictError, and change nothing, if
        there is an object, or if it is not the one with this ETag. OSError means that the file can't be read.
        """
        mode: Any = "create" if if_absent else {"e_tag": if_etag} if if_etag else "overwrite"
        with self._errors(name):
            put = self._writing.put(name, content, mode=mode, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        return put["e_tag"] or ""

    async def put_async(self, name: str, file: Path) -> str:
        """Like `put` of a file without a condition, for a caller that writes many objects at once."""
        with self._errors(name):
            put = await self._writing.put_async(name, file, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
        return put["e_tag"] or ""

    def copy(self, name: str, new: str) -> None:
        """Copy an object inside the storage. An object named `new` is replaced."""
        with self._errors(name):
            self._writing.copy(name, new)

    def delete(self, name: str) -> None:
        """Delete an object. No error if there is none."""
        with self._errors(name), contextlib.suppress(FileNotFoundError):
            self._writing.delete(name)

    def sign(self, name: str, ttl_s: float) -> str:
        """A URL by which anybody may read the object for this time. It is a secret: keep it out of logs."""
        import obstore

        with self._errors(name):
            signed: str = obstore.sign(self._reading, "GET", name, timedelta(seconds=ttl_s))
            return signed

    def status(self, name: str) -> ObjectInfo | None:
        """The object as a listing would show it; None if there is none."""
        try:
            with self._errors(name):
                return _info(self._asking.head(name))
        except MissingObjectError:
            return None

    @contextlib.contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except (StorageError, GeneratorExit):
            raise
        except Exception as error:
            # The client's error is not chained, because its text may hold a signature.
            raise explained(error, self.url.file(name) if name else str(self.url)) from None


def open_store(url: ProjectUrl, settings: StorageSettings, retries: int = RETRIES) -> ObjectStore:
    """Open a project, or a data root. Nothing is sent yet, so wrong credentials show at the first call.

    retries: how often a request is tried again before a call fails.
    Raises StorageNotInstalledError, and StorageError if the environment lacks what the client needs.
    """
    try:
        import obstore.store as clients
    except ImportError as error:
        raise StorageNotInstalledError(NOT_INSTALLED) from error
    silent_limit = timedelta(seconds=settings.timeout_s)
    connect_limit = min(silent_limit, timedelta(seconds=10))
    client = {"allow_http": settings.allow_http, "connect_timeout": connect_limit}
    asking = {**client, "read_timeout": silent_limit, "timeout": silent_limit * _ASKING_FACTOR}
    reading = {**client, "read_timeout": silent_limit, "timeout": _READING_LIMIT}
    writing = {**client, "timeout": silent_limit * _SENDING_FACTOR}
    first_s, longest_s = _PAUSES_S
    retrying = {
        "max_retries": retries,
        "retry_timeout": silent_limit * max(1, retries),
        "backoff": {
            "init_backoff": timedelta(seconds=first_s),
            "max_backoff": timedelta(seconds=longest_s),
            "base": 2,
        },
    }

    def opened(limits: dict[str, Any]) -> obstore.store.ObjectStore:
        with_all: dict[str, Any] = {"prefix": url.prefix or None, "client_options": limits, "retry_config": retrying}
        match url.scheme:
            case "gs":
                return clients.GCSStore(url.container, **with_all)
            case "az":
                return clients.AzureStore(url.container, **with_all)
        server = {"endpoint": settings.endpoint, "region": settings.region}
        return clients.S3Store(url.container, **with_all, **{key: text for key, text in server.items() if text})

    try:
        return ObjectStore(url, opened(asking), opened(reading), opened(writing))
    except Exception as error:
        raise explained(error, str(url)) from None


def _get_options(etag: str, span: tuple[int, int] | dict[str, int] | None) -> Any:
    return {**({"if_match": etag} if etag else {}), **({"range": span} if span else {})}


def _info(meta: Any) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"].timestamp())
