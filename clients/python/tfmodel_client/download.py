"""Downloads the files of a model. Each download resumes after an interruption, and is checked against its SHA-256."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path, PurePosixPath

from tfmodel_client.calls import artifacts
from tfmodel_client.errors import DownloadError, NotFoundError, UnreachableError, error_of
from tfmodel_client.partial_file import PartialFile
from tfmodel_client.paths import path_of
from tfmodel_client.retrying import (
    LONGEST_PAUSE_S,
    PASSING_STATUSES,
    REQUEST_ID,
    TRIES,
    identified,
    pause_s,
    retry_after_s,
    with_headers,
)
from tfmodel_client.steps import (
    Close,
    ConnectionLostError,
    Pause,
    Plan,
    Request,
    Work,
    open_body,
    read,
    read_to_end,
    work,
)
from tfmodel_client.types import ArtifactFile

#: While a task trains, a better model may take the place of the one that is being read. Then its files are listed anew.
LISTINGS = 3

#: Called with the name of a file, its bytes so far and all its bytes.
OnBytes = Callable[[str, int, int], None]


class _ChangedError(Exception):
    """The server has another file by now than the one that it listed."""


def download(
    task_id: str, to: str | os.PathLike[str], names: Collection[str] | None = None, on_bytes: OnBytes | None = None
) -> Plan[list[Path]]:
    """Download files of a task's model into the folder `to`, and return their paths.

    names: of the files, as `artifacts` lists them; None for all. on_bytes(name, bytes so far, all bytes) is called as
    bytes arrive. A file that is there with the same hash is not loaded again. An interrupted download goes on where it
    was. Raises DownloadError if a file does not have the hash that the server names.
    """
    for left in reversed(range(LISTINGS)):
        listed = yield from artifacts(task_id)
        chosen = _chosen(listed.artifacts, names, task_id)
        paths = []
        try:
            for file in chosen:
                path = _inside(Path(to), file.name)
                yield from _FileDownload(task_id, file, path, on_bytes or _nobody).run()
                paths.append(path)
            return paths
        except _ChangedError as changed:
            if not left:
                raise DownloadError(f"{changed} Its folder may be damaged; check the files, or try again.") from None
    raise AssertionError("the last listing returns or raises")


def _nobody(name: str, so_far_bytes: int, all_bytes: int) -> None:
    """The callback of callers that pass none."""


def _chosen(listed: Collection[ArtifactFile], names: Collection[str] | None, task_id: str) -> list[ArtifactFile]:
    if names is None:
        return list(listed)
    missing = set(names) - {file.name for file in listed}
    if missing:
        there = ", ".join(file.name for file in listed) or "none"
        raise NotFoundError(f"Task {task_id} has no {', '.join(sorted(missing))}; its files are: {there}.")
    return [file for file in listed if file.name in names]


def _inside(folder: Path, name: str) -> Path:
    """The path of a file below the folder. Raises DownloadError for a name that leads out of it."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or any(part == ".." or "\\" in part or ":" in part for part in parts):
        raise DownloadError(f"The server names a file {name!r}, which would not lie in {folder}; nothing is written.")
    return folder.joinpath(*parts)


_SHA256 = re.compile("[0-9a-f]{64}")


class _FileDownload:
    """Loads one file, over as many connections as it takes."""

    def __init__(self, task_id: str, file: ArtifactFile, target: Path, on_bytes: OnBytes) -> None:
        self._file = file
        self._on_bytes = on_bytes
        self._part = PartialFile(target, file.sha256)
        path = path_of("v1", "tasks", task_id, "artifacts", *file.name.split("/"))
        self._request = identified(Request("GET", path))

    def run(self) -> Plan[None]:
        """Raises _ChangedError if the bytes are not those that were listed."""
        part = self._part
        if (yield from work(part.is_there)):
            self._on_bytes(self._file.name, self._file.size_bytes, self._file.size_bytes)
            return
        try:
            yield Work(part.open)
            yield from self._read_all()
            if not (yield from work(part.finish)):
                raise _ChangedError(f"The bytes of {self._file.name} don't have the SHA-256 that the server names.")
        finally:
            part.close()

    def _read_all(self) -> Plan[None]:
        failures = 0
        while (before_bytes := self._part.size_bytes) < self._file.size_bytes:
            asked_s, lost = 0.0, "The connection ended early."
            try:
                asked_s = yield from self._read_on()
            except ConnectionLostError as error:
                lost = str(error)
            yield Close()
            if self._part.size_bytes >= self._file.size_bytes:
                return
            failures = 1 if self._part.size_bytes > before_bytes else failures + 1
            if failures == TRIES or asked_s > LONGEST_PAUSE_S:
                raise UnreachableError(
                    f"{self._part.size_bytes:,} of {self._file.size_bytes:,} bytes of {self._file.name} came. {lost} "
                    "The next download continues after them.",
                    request_id=self._request.headers[REQUEST_ID],
                )
            yield Pause(pause_s(failures, asked_s))

    def _read_on(self) -> Plan[float]:
        """Read what follows these bytes. Returns the pause that the server asks for if it can't send now, else 0.0."""
        part, request = self._part, self._request
        if part.size_bytes:
            request = with_headers(request, Range=f"bytes={part.size_bytes}-", If_Range=f'"{self._file.sha256}"')
        answer = yield from open_body(request)
        if answer.status in PASSING_STATUSES:
            return retry_after_s(answer) or 0.0
        if answer.status not in (200, 206):
            body = yield from read_to_end()
            raise error_of(dataclasses.replace(answer, body=body), request.headers[REQUEST_ID])
        etag = answer.headers.get("etag", "").strip('W/"')
        # A server may send the caller on to object storage, whose ETags are no hashes.
        if _SHA256.fullmatch(etag) and etag != self._file.sha256:
            raise _ChangedError(f"The server has another {self._file.name} by now.")
        if not answer.headers.get("content-range", "bytes 0-").startswith(f"bytes {part.size_bytes}-"):
            yield Work(part.restart)
        while piece := (yield from read()):
            if part.size_bytes + len(piece) > self._file.size_bytes:
                raise _ChangedError(f"{self._file.name} has more bytes than the server names.")
            yield Work(functools.partial(part.append, piece))
            self._on_bytes(self._file.name, part.size_bytes, self._file.size_bytes)
        return 0.0
