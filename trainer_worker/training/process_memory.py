"""What a trainer process keeps in memory from task to task (docs/choices.md, "Memory between tasks")."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Iterator

import psutil


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """In the block, load what the process keeps: no collection runs there, and later ones pass over what it loaded."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
    keep_what_is_loaded()


def keep_what_is_loaded() -> None:
    """Let garbage collections pass over all objects that exist now.

    TensorFlow has hundreds of thousands, and each task waits for several collections.
    """
    gc.collect()
    gc.freeze()


def release_memory() -> float:
    """Drop the last task's graphs and return freed memory to the system.

    Returns the megabytes that the process still holds.
    """
    import tensorflow as tf

    tf.keras.backend.clear_session()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # only glibc has malloc_trim
        ctypes.CDLL(None).malloc_trim(0)
    return float(psutil.Process().memory_info().rss) / 2**20
