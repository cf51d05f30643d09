"""Reads lists and events from the journal in a thread of its own, so that a long answer delays no task.

The thread has a connection of its own, which sees everything that was committed before the request was passed on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Callable, Iterator

from broker.events import ReadEvents, ReadInUse, ReadPage, SendWeb
from broker.journal_view import JournalView
from broker.past_events import PastEvents
from broker.task_lists import TaskLists
from protocol import messages as m

log = logging.getLogger("broker")

#: Requests beyond these are dropped. Front-ends repeat theirs until their time is up.
MAX_WAITING = 1000
FAILED = "The broker could not read its journal; the operator finds the reason in the broker's log."

Read = ReadEvents | ReadPage | ReadInUse


class JournalReader:
    """Wait until `fileno` can be read, then send `answers`. The thread begins with the first request."""

    def __init__(self, open_view: Callable[[], JournalView]) -> None:
        self._open_view = open_view
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
        connection: _Connection | None = None
        while (read := self._wanted.get()) is not None:
            try:
                if connection is None:
                    connection = _Connection(self._open_view())
                message = connection.answer(read)
            except Exception as error:  # Whatever is wrong with one request, the thread serves the others.
                log.exception("action=journal.read_failed message=%s", type(read.request).__name__)
                message = m.Refused(read.request.request_id, "internal_error", f"{FAILED} ({type(error).__name__})")
                # The connection may be lost, so the next request gets a new one.
                if connection is not None:
                    connection.close()
                    connection = None
            self._answers.put(SendWeb(read.peer, message))
            with contextlib.suppress(BlockingIOError):  # The pipe is full, so the loop is going to wake up anyway.
                os.write(self._wake_write, b"!")
        if connection is not None:
            connection.close()


class _Connection:
    def __init__(self, view: JournalView) -> None:
        self._view = view
        self._past, self._lists = PastEvents(view), TaskLists(view)

    def answer(self, read: Read) -> m.BrokerToWeb:
        with self._view.snapshot():
            match read:
                case ReadEvents(request=events):
                    return self._past.part(events)
                case ReadInUse(request=in_use):
                    return self._lists.in_use(in_use)
                case ReadPage(request=page):
                    return self._lists.page(page)

    def close(self) -> None:
        with contextlib.suppress(Exception):  # of a connection that is lost
            self._view.close()
