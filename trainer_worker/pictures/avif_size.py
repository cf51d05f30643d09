"""Finds out how many pixels an AVIF file really holds, before any of them is decoded.

The decoder uses the sizes of the AV1 pictures inside a file and not the size that the container claims. The container's
size therefore puts no limit on the memory. Each AV1 picture has its size in a sequence header. Sources: AV1 Image File
Format (AVIF) 1.1, ISO base media file format (ISO/IEC 14496-12) for boxes and item locations, and section 5.5 of the
AV1 specification.
"""

from __future__ import annotations

from collections.abc import Iterator

_SEQUENCE_HEADER = 1
#: All items together may be this many times as large as the file. In a larger list, parts of the file are repeated.
_MOST_REPEATED = 2


class UnusualAvifError(Exception):
    """The file has a structure in which the size of its pictures cannot be found."""


def coded_pixels(content: bytes) -> int:
    """The pixels of all AV1 pictures in the file, alpha and tiles included. Raises UnusualAvifError."""
    try:
        if any(kind == b"moov" for kind, _, _ in _boxes(content, 0, len(content))):
            raise UnusualAvifError("it is animated")
        meta = next((span for kind, *span in _boxes(content, 0, len(content)) if kind == b"meta"), None)
        if meta is None:
            raise UnusualAvifError("it has no list of its pictures")
        return sum(_pixels_of_item(item) for item in _av1_items(content, meta[0] + 4, meta[1]))
    except (IndexError, ValueError) as error:
        raise UnusualAvifError("its structure is damaged") from error


def _boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the kind of each box, and where its content begins and ends."""
    while start + 8 <= end:
        size, kind, head = int.from_bytes(content[start : start + 4]), content[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(content[start + 8 : start + 16]), 16
        size = size or end - start
        if size < head or start + size > end:
            raise ValueError("a box is larger than what holds it")
        yield kind, start + head, start + size
        start += size


def _av1_items(content: bytes, start: int, end: int) -> Iterator[bytes]:
    """The data of each AV1 picture that the meta box lists."""
    spans = {kind: (begin, stop) for kind, begin, stop in _boxes(content, start, end)}
    if b"iinf" not in spans or b"iloc" not in spans:
        raise UnusualAvifError("it has no list of its pictures")
    pictures = set(_av1_item_ids(content, *spans[b"iinf"]))
    idat = spans.get(b"idat", (0, 0))[0]
    left_bytes = _MOST_REPEATED * len(content)
    for number, method, extents in _locations(_Bytes(content, spans[b"iloc"][0])):
        if number not in pictures:
            continue
        if method > 1:
            raise UnusualAvifError("a picture is part of another one")
        # A length of 0 stands for the rest of the file.
        left_bytes -= sum(length or len(content) for _, length in extents)
        if left_bytes < 0:
            raise UnusualAvifError("it repeats its parts")
        shift = idat if method == 1 else 0
        yield b"".join(
            content[shift + offset : shift + offset + length if length else None] for offset, length in extents
        )


def _av1_item_ids(content: bytes, start: int, end: int) -> Iterator[int]:
    head = 4 + (2 if content[start] == 0 else 4)
    for kind, begin, _ in _boxes(content, start + head, end):
        if kind == b"infe" and content[begin] >= 2:
            width = 2 if content[begin] == 2 else 4
            if content[begin + 6 + width : begin + 10 + width] == b"av01":
                yield int.from_bytes(content[begin + 4 : begin + 4 + width])


def _locations(data: _Bytes) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Yields the number of each item, its method, and its parts as (offset, length).

    method: 0 if offsets count from the beginning of the file, 1 if they count from the beginning of the idat box.
    """
    version = data.number(1)
    data.number(3)
    sizes = data.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    width = 2 if version < 2 else 4
    for _ in range(data.number(width)):
        number = data.number(width)
        method = data.number(2) & 15 if version else 0
        data.number(2)
        base = data.number(base_size)
        extents = []
        for _ in range(data.number(2)):
            data.number(index_size if version else 0)
            offset = data.number(offset_size)
            extents.append((base + offset, data.number(length_size)))
        yield number, method, extents


def _pixels_of_item(data: bytes) -> int:
    """The pixels of the largest picture that a sequence header in the data allows."""
    at, most = 0, 0
    while at < len(data):
        header = data[at]
        at += 2 if header & 4 else 1
        size = len(data) - at
        if header & 2:
            size, at = _leb128(data, at)
        if header >> 3 & 15 == _SEQUENCE_HEADER:
            most = max(most, _sequence_pixels(_Bits(data[at : at + size])))
        at += size
    if not most:
        raise UnusualAvifError("a picture does not say its size")
    return most


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """The LEB128 number at that position, and the position after it."""
    value = 0
    for place in range(8):
        byte = data[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise ValueError("a size is too long")


def _sequence_pixels(bits: _Bits) -> int:
    bits.take(3 + 1)  # profile, still picture
    if bits.take(1):  # the short form that still pictures have
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return (bits.take(width_bits) + 1) * (bits.take(height_bits) + 1)


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing information
        bits.take(64)
        if bits.take(1):
            zeros = 0
            while not bits.take(1):
                zeros += 1
            bits.take(zeros)
        if bits.take(1):  # decoder model
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    shows_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if shows_delay and bits.take(1):
            bits.take(4)


class _Bytes:
    """Reads numbers of any size in bytes, one after the other."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content, self._at = content, at

    def number(self, size: int) -> int:
        part = self._content[self._at : self._at + size]
        if len(part) < size:
            raise ValueError("the file ends too soon")
        self._at += size
        return int.from_bytes(part)


class _Bits:
    """Reads numbers of any size in bits, one after the other."""

    def __init__(self, content: bytes) -> None:
        self._value, self._left = int.from_bytes(content[:64]), 8 * len(content[:64])

    def take(self, size: int) -> int:
        if size > self._left:
            raise ValueError("a header ends too soon")
        self._left -= size
        return self._value >> self._left & ((1 << size) - 1)
