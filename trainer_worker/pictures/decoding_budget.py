"""How much memory all threads that decode pictures may take together.

Where the numbers come from: docs/choices.md, "Memory is estimated before decoding".
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

#: No picture may take more while it is decoded and scaled. footprints.py estimates that before.
MOST_BYTES_OF_A_PICTURE = 240 * 1024**2
#: Decoding gets this share of the worker's memory limit. TensorFlow, features and exports need the rest.
SHARE_OF_MEMORY_LIMIT = 1 / 16
#: The least that decoding gets: enough for the photo of an ordinary camera.
LEAST_BYTES = 128 * 1024**2
#: The share of the default memory limit: enough for three of the largest pictures at once.
DEFAULT_BYTES = 750 * 1024**2


class DecodingBudget:
    """Bytes to reserve before a picture is decoded. A thread that finds too few left waits for its turn."""

    def __init__(self, total_bytes: int = DEFAULT_BYTES) -> None:
        self._free_bytes = total_bytes
        self._changed = threading.Condition()
        self._tickets = 0
        self._serving = 0
        self.most_bytes = min(total_bytes, MOST_BYTES_OF_A_PICTURE)

    @property
    def waiting(self) -> int:
        """How many threads wait for their turn."""
        with self._changed:
            return self._tickets - self._serving

    @contextlib.contextmanager
    def reserved(self, wanted_bytes: int) -> Iterator[None]:
        """Wait until wanted_bytes, which are at most most_bytes, are free. Don't call it again inside the block."""
        with self._changed:
            ticket = self._tickets
            self._tickets += 1
            # First come, first served: otherwise small pictures could keep a large one waiting for ever.
            self._changed.wait_for(lambda: ticket == self._serving and wanted_bytes <= self._free_bytes)
            self._serving += 1
            self._free_bytes -= wanted_bytes
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free_bytes += wanted_bytes
                self._changed.notify_all()


def bytes_for(memory_limit_bytes: int) -> int:
    """The bytes that a worker with that memory limit spends on decoding."""
    return max(LEAST_BYTES, int(memory_limit_bytes * SHARE_OF_MEMORY_LIMIT))


#: For pictures that are read while a reservation is already held.
UNLIMITED = DecodingBudget(sys.maxsize)
