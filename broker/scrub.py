"""Reads the whole journal in a thread of its own, after the start and then once a day.

Most of a journal is not read for months. A flipped bit is found here while there still is a backup without it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing

import msgspec

from broker.facts import Submitted
from broker.journal import BrokenJournalError, JournalError
from broker.journal_rows import FactRow, record_of, task_of
from broker.journal_view import JournalView

log = logging.getLogger("broker")

INTERVAL_S = 86400.0
#: Rows that are read at once, and the pause after them, so that the broker's own thread is not held up.
ROWS = 500
PAUSE_S = 0.02
#: Damaged rows that are named in the log.
MOST_NAMED = 100


class Scrub:
    def __init__(self, open_view: Callable[[], JournalView]) -> None:
        self._open_view = open_view
        self._ended = threading.Event()
        self._broken: BrokenJournalError | None = None
        self._thread = threading.Thread(target=self._run, name="journal scrub", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def refuse_broken(self) -> None:
        """Raise BrokenJournalError if the journal was found to be broken."""
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with closing(self._open_view()) as view:
                    read_all(view, lambda: self._ended.wait(PAUSE_S))
            except BrokenJournalError as error:
                self._broken = error
                return
            except JournalError as error:
                log.warning("action=journal.not_scrubbed reason=%r", str(error))
            self._ended.wait(INTERVAL_S)


def read_all(view: JournalView, is_ended: Callable[[], bool]) -> None:
    """Read the whole journal, and name damaged rows in the log. Raises BrokenJournalError if more is damaged.

    is_ended: asked before each part; it may wait.
    """
    view.check_whole()
    seq = damaged = read = 0
    while not is_ended():
        with view.snapshot():
            rows = list(view.facts_after(seq, ROWS))
            damaged += _damaged_rows(view, rows, MOST_NAMED - damaged)
        if not rows:
            log.info("action=journal.scrubbed facts=%d damaged=%d", read, damaged)
            return
        seq, read = rows[-1][0], read + len(rows)


def _damaged_rows(view: JournalView, rows: list[FactRow], most_named: int) -> int:
    """Name the facts that can't be read, and the tasks that these rows submit. Returns how many there are."""
    submitted: list[str] = []
    damaged: list[tuple[str, object, str]] = []
    for row in rows:
        try:
            if isinstance(record_of(row).fact, Submitted):
                submitted.append(row[2])
        except msgspec.DecodeError as error:
            damaged.append((row[2], row[0], str(error)))
    for task in view.tasks(submitted):
        try:
            task_of(task)
        except msgspec.DecodeError as error:
            damaged.append((task[0], "", str(error)))
    for task_id, seq, reason in damaged[: max(0, most_named)]:
        log.error("action=journal.row_damaged task=%r seq=%s reason='%s'", task_id, seq, reason)
    return len(damaged)
