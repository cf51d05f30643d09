"""Sends what .tfmodel/ keeps of a task to object storage, while the task is trained and when it ends.

So the person who posted the task can follow its log, and an attempt on another worker goes on from the newest
checkpoint. Cached features are not sent: they are many small files, and can be computed again.
Whatever goes wrong here costs lines or repeated work, never the training.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from protocol.project_layout import KEPT, LAST, TASKS
from storage.errors import StorageError
from storage.object_store import ObjectInfo
from trainer_worker.checkouts.checkout import Checkout

#: How often a small file is sent while it grows, and how often a large one, which is a checkpoint.
SMALL_EVERY_S, LARGE_EVERY_S = 2.0, 60.0
SMALL_BYTES = 1024**2

log = logging.getLogger(__name__)


class KeptFiles:
    """A context manager. Leaving it sends what is new since."""

    def __init__(self, checkout: Checkout, task_id: str) -> None:
        self._checkout = checkout
        self._folders = (f"{KEPT}/{LAST}", f"{KEPT}/{TASKS}/{task_id}")
        self._sent_at_s: dict[str, float] = {}
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._send_often, name="kept files", daemon=True)

    def __enter__(self) -> KeptFiles:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()
        self._send(is_end=True)

    def _send_often(self) -> None:
        while not self._closed.wait(SMALL_EVERY_S):
            self._send(is_end=False)

    def _send(self, is_end: bool) -> None:
        """Send what has changed, and remove from the storage what has gone. is_end: without waiting any longer."""
        record = self._checkout.record
        try:
            here = {path: self._checkout.folder / path for path in self._paths()}
            for path, file in here.items():
                if not record.is_untouched(path) and (is_end or self._is_due(path, file)):
                    self._send_file(path, file)
            for path in record.paths():
                if path.startswith(tuple(f"{folder}/" for folder in self._folders)) and path not in here:
                    self._checkout.store.delete(path)
                    record.forget(path)
        except (StorageError, OSError) as error:
            log.warning("action=kept_files.not_sent url=%s reason=%r", self._checkout.store.url, str(error)[:300])

    def _send_file(self, path: str, file: Path) -> None:
        before = file.stat()
        content = file if before.st_size > SMALL_BYTES else file.read_bytes()
        etag = self._checkout.store.put(path, content)
        self._sent_at_s[path] = time.monotonic()
        after = file.stat()
        # A file that has changed meanwhile is sent again.
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            self._checkout.record.add(path, ObjectInfo(path, after.st_size, etag, after.st_mtime), whole=True)

    def _is_due(self, path: str, file: Path) -> bool:
        every_s = LARGE_EVERY_S if file.stat().st_size > SMALL_BYTES else SMALL_EVERY_S
        return time.monotonic() >= self._sent_at_s.get(path, 0.0) + every_s

    def _paths(self) -> Iterator[str]:
        for folder in self._folders:
            for above, _, names in os.walk(self._checkout.folder / folder):
                for name in names:
                    if not name.endswith(".tmp"):
                        yield os.path.relpath(os.path.join(above, name), self._checkout.folder)  # noqa: PTH118
