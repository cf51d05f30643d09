"""Reads lists and events from the journal in a thread of its own, so that a long answer delays no task.

The thread has its own connection to SQLite, which sees everything that was committed before the request was passed on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from broker.events import ReadEvents, ReadInUse, ReadPage, SendWeb
from broker.journal_file import open_to_read
from broker.past_events import PastEvents
from broker.task_lists import TaskLists
from protocol import messages as m

log = logging.getLogger("broker")

#: Requests beyond these are dropped. Front-ends repeat theirs until their time is up.
MAX_WAITING = 1000
#: Room for the indexes of some 100,000 tasks.
CACHE_KB = 32 * 1024
FAILED = "The broker could not read its journal; the operator finds the reason in the broker's log."

Read = ReadEvents | ReadPage | ReadInUse


class JournalReader:
    """Wait until `fileno` can be read, then send `answers`. The thread begins with the first request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted: queue.Queue[Read | None] = queue.Queue()
        self._answers: queue.SimpleQueue[SendWeb] = queue.SimpleQueue()
        #: Requests that wait or are being answered: a repeated one needs no second answer.
        self._asked: set[tuple[bytes, int]] = set()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread: threading.Thread | None = None

    def fileno(self) -> int:
        return self._wake_read

    def ask(self, read: Read) -> bool:
        """Pass a request on to the thread. Returns False if too many wait already."""
        key = (read.peer, read.request.request_id)
        if key in self._asked:
            return True
        if len(self._asked) >= MAX_WAITING:
            return False
        self._asked.add(key)
        self._wanted.put(read)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="journal reader", daemon=True)
            self._thread.start()
        return True

    def answers(self) -> Iterator[SendWeb]:
        """The answers that are ready."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_read, 4096)
        with contextlib.suppress(queue.Empty):
            while True:
                answer = self._answers.get_nowait()
                self._asked.discard((answer.peer, answer.message.request_id))
                yield answer

    def close(self) -> None:
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _serve(self) -> None:
        with closing(open_to_read(self._path)) as db:
            db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
            past, lists = PastEvents(db), TaskLists(db)
            while (read := self._wanted.get()) is not None:
                try:
                    # One transaction, so that all queries of an answer see the same facts.
                    db.execute("BEGIN")
                    message = _answer(read, past, lists)
                except Exception as error:  # Whatever is wrong with one request, the thread serves the others.
                    log.exception("action=journal.read_failed message=%s", type(read.request).__name__)
                    message = m.Refused(read.request.request_id, "internal_error", f"{FAILED} ({type(error).__name__})")
                finally:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                self._answers.put(SendWeb(read.peer, message))
                with contextlib.suppress(BlockingIOError):  # The pipe is full, so the loop is going to wake up anyway.
                    os.write(self._wake_write, b"!")


def _answer(read: Read, past: PastEvents, lists: TaskLists) -> m.BrokerToWeb:
    match read:
        case ReadEvents(request=events):
            return past.part(events)
        case ReadInUse(request=in_use):
            return lists.in_use(in_use)
        case ReadPage(request=page):
            return lists.page(page)
