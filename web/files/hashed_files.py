"""Checks that a file is the one that the journal knows, before a byte of it is sent.

Everybody who can write to a project folder can change a model after it was trained. A file is therefore hashed first:
once the first bytes are sent, it is too late for an error. Hashing takes some seconds for a gigabyte, and its result is
remembered until the file changes.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections import OrderedDict
from typing import NamedTuple

from protocol.artifact import Artifact
from web.answers.refusal import Refusal
from web.files.open_file import Content, OpenFile
from web.files.project_files import ProjectFiles

#: How many files are remembered.
MOST_REMEMBERED = 2000
#: What is hashed at once. Other callers get their turn in between.
PART_BYTES = 8 * 1024**2
#: A file that was changed a moment ago may change again within the same tick of the disk's clock, which would not show.
SETTLED_S = 2.0


class Checksums(NamedTuple):
    sha256: str
    crc32: int


class HashedFiles:
    def __init__(self, files: ProjectFiles) -> None:
        self._files = files
        self._known: OrderedDict[Content, Checksums] = OrderedDict()

    async def check(self, file: OpenFile, artifact: Artifact) -> Checksums:
        """The checksums of the file. Raises Refusal artifact_changed if it is not the artifact."""
        changed = Refusal(
            "artifact_changed",
            f"{artifact.name} is not the file any more that the training has written, so it is not sent; post the "
            "folder again to get a new one.",
        )
        if file.content.size_bytes != artifact.size_bytes:
            raise changed
        try:
            checksums = await self._checksums(file)
        except OSError as error:
            raise Refusal("file_unreadable", f"{artifact.name} can't be read now; try again in a moment.") from error
        if checksums.sha256 != artifact.sha256:
            raise changed
        return checksums

    async def content(self, file: OpenFile, artifact: Artifact) -> bytes:
        """The whole file, for one that is small. Raises as `check` does, and OSError if it changes meanwhile."""
        await self.check(file, artifact)
        parts = self._files.parts(file, 0, artifact.size_bytes, is_fixed=True)
        return b"".join([part async for part in parts])

    async def _checksums(self, file: OpenFile) -> Checksums:
        known = self._known.get(file.content)
        if known is not None:
            self._known.move_to_end(file.content)
            return known
        hashing = _Hashing(file)
        while await self._files.run(hashing.add_part):
            pass
        checksums = hashing.checksums()
        settled = time.time() - file.content.changed_ns / 1e9 > SETTLED_S
        if settled and await self._files.run(Content.of, file.file) == file.content:
            self._known[file.content] = checksums
            while len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return checksums


class _Hashing:
    """The checksums of a file, part by part. Its methods run in a thread, one at a time."""

    def __init__(self, file: OpenFile) -> None:
        self._file, self._sha256, self._crc32 = file, hashlib.sha256(), 0

    def add_part(self) -> bool:
        """False after the last part."""
        part = self._file.file.read(PART_BYTES)
        self._sha256.update(part)
        self._crc32 = zlib.crc32(part, self._crc32)
        return bool(part)

    def checksums(self) -> Checksums:
        return Checksums(self._sha256.hexdigest(), self._crc32)
