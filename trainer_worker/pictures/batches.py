"""Batches of pictures, decoded in threads ahead of their consumer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from trainer_worker.pictures.images import Box, PictureReader, Pixels, UnreadableImageError, read_rgb

#: At most this many decoded batches wait for the consumer.
LOOK_AHEAD_BATCHES = 2


class Batching(NamedTuple):
    """size: (height, width) of each picture. threads: how many decode."""

    size: tuple[int, int]
    batch_size: int
    threads: int


def read_batches(
    reader: PictureReader,
    wanted: Iterable[tuple[Path, Box]],
    batching: Batching,
    on_unreadable: Callable[[int, UnreadableImageError], None] | None = None,
) -> Iterator[tuple[list[int], Pixels]]:
    """Decode parts of pictures in threads, ahead of the consumer, in the order of `wanted`, which is read as needed.

    Yields the indexes into `wanted` and their pixels, uint8 (n, height, width, 3). n is batch_size except in the last
    batch. Unreadable files are left out and passed to `on_unreadable`, in order and in the consumer's thread; without
    it the first one is raised. At most LOOK_AHEAD_BATCHES batches wait in memory.
    """
    waiting: deque[tuple[int, Future[Pixels]]] = deque()
    todo = iter(enumerate(wanted))
    indexes: list[int] = []
    pixels: list[Pixels] = []
    pool = ThreadPoolExecutor(max_workers=batching.threads, thread_name_prefix="decode")

    def refill() -> None:
        while len(waiting) < LOOK_AHEAD_BATCHES * batching.batch_size and (job := next(todo, None)) is not None:
            index, (path, box) = job
            waiting.append((index, pool.submit(read_rgb, reader, path, batching.size, box)))

    try:
        refill()
        while waiting:
            index, future = waiting.popleft()
            try:
                pixels.append(future.result())
                indexes.append(index)
            except UnreadableImageError as error:
                if on_unreadable is None:
                    raise
                on_unreadable(index, error)
            refill()
            if len(pixels) == batching.batch_size:
                yield indexes, np.stack(pixels)
                indexes, pixels = [], []
        if pixels:
            yield indexes, np.stack(pixels)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
