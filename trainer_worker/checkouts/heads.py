"""Brings the beginnings of pictures, in which their sizes stand, for a check that must not wait for whole pictures."""

from __future__ import annotations

import contextlib
import functools
import os
import time

from storage.transfers import carry_out
from trainer_worker.checkouts.checkout import Checkout
from trainer_worker.pictures.headers import LEAST_READ, in_sample_order
from trainer_worker.project.origin import Groups

#: A JPEG of a camera has its size behind a thumbnail and the camera's notes.
HEAD_BYTES = 64 * 1024


class _TimeUpError(Exception):
    """The caller has waited long enough."""


def bring_heads(checkout: Checkout, groups: Groups, until_s: float) -> Groups:
    """The groups whose beginnings are in the copy: LEAST_READ files, and more if there is time."""
    there: set[str] = set()
    paths = list(dict.fromkeys(path for group in in_sample_order(groups) for path in group))

    async def bring(path: str) -> None:
        info = checkout.objects.files[path]
        if not checkout.record.has(path, info, whole=True) and info.size_bytes:
            content = await checkout.store.head_async(info.name, info.etag, min(HEAD_BYTES, info.size_bytes))
            _write_head(checkout, path, content)
        there.add(path)

    def look_at_clock() -> None:
        if len(there) >= LEAST_READ and time.monotonic() >= until_s:
            raise _TimeUpError

    with contextlib.suppress(_TimeUpError):
        carry_out([functools.partial(bring, path) for path in paths], checkout.connections, look_at_clock)
    return [group for group in groups if there.issuperset(group)]


def _write_head(checkout: Checkout, path: str, content: bytes) -> None:
    """Write into the empty space, and keep the file's time, by which the record knows it."""
    file = checkout.folder / path
    before = file.stat()
    with open(file, "r+b") as space:
        space.write(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
