"""Frames on the input and output of a runtime process, see protocol/prediction.py."""

from __future__ import annotations

import os
from typing import BinaryIO

import msgspec

from protocol.prediction import HEAD, Message, framed, unframed


class Frames:
    """Reads until the input ends, and writes each frame at once."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    def of_this_process(cls) -> Frames:
        """Frames on standard input and output. What libraries print goes to standard error instead."""
        writer = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        return cls(os.fdopen(0, "rb", closefd=False), writer)

    def read(self, message_type: type[Message]) -> Message | None:
        """The next message, or None at the end of the input. Raises msgspec.MsgspecError."""
        head = self._reader.read(HEAD.size)
        if len(head) < HEAD.size:
            return None
        (size,) = HEAD.unpack(head)
        body = self._reader.read(size)
        return unframed(body, message_type) if len(body) == size else None

    def write(self, message: msgspec.Struct) -> None:
        """Write a message as a frame, at once. Raises OSError if nobody reads any more."""
        for part in framed(message):
            self._writer.write(part)
        self._writer.flush()
