"""Makes a zip of a task's model while it is sent.

Files are stored as they are: weights hardly get smaller by compression. Sizes and checksums are known beforehand, so
they stand before each file and programs that read from a stream can open the zip. The same task gives the same zip.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import NamedTuple

from stream_zip import NO_COMPRESSION_32, NO_COMPRESSION_64, Method, ZipError, stream_zip

from web.files.open_file import PART_BYTES, Content, read_part
from web.folders.folders import Lent

#: Zips above this size have fields of 64 bits. The limit of the older form is 4 GiB with everything.
MOST_PLAIN_BYTES = 2 * 1024**3
_FILE_MODE = 0o100644
_ANY_TIME = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


class Member(NamedTuple):
    """A file in the zip, which is lent until the zip is made. content: what its checksum was computed from."""

    name: str
    lent: Lent
    content: Content
    crc32: int


def size_of_zip(members: Sequence[Member]) -> int:
    """The size of the whole zip in bytes. What stands beside the files does not depend on their sizes."""
    method = _method_for(members)
    empty = ((member.name, _ANY_TIME, _FILE_MODE, method(0, 0), ()) for member in members)
    return sum(map(len, stream_zip(empty))) + sum(member.content.size_bytes for member in members)


def zip_parts(members: Sequence[Member], made_at: datetime.datetime) -> Generator[bytes, None, None]:
    """The parts of the zip. To be asked in a thread.

    made_at: the time of all files. Raises OSError if a file has changed since its checksum was computed.
    """
    method = _method_for(members)

    def content(member: Member) -> Iterator[bytes]:
        opened = member.lent.open()
        with opened.file:
            if opened.content != member.content:
                raise OSError(f"{member.name} was changed while the zip was being made")
            begin = 0
            while begin < member.content.size_bytes:
                part = read_part(opened, begin, PART_BYTES, is_fixed=True)
                begin += len(part)
                yield part

    entries = (
        (member.name, made_at, _FILE_MODE, method(member.content.size_bytes, member.crc32), content(member))
        for member in members
    )
    try:
        yield from stream_zip(entries, chunk_size=PART_BYTES)
    except ZipError as error:
        raise OSError(f"the zip could not be made: {error}") from error


def _method_for(members: Sequence[Member]) -> Callable[[int, int], Method]:
    """Makes the method of a file, from its size and its CRC-32."""
    size_bytes = sum(member.content.size_bytes for member in members)
    return NO_COMPRESSION_32 if size_bytes <= MOST_PLAIN_BYTES else NO_COMPRESSION_64
