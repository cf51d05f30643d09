"""A broker's shell that serves in a thread of its own, with a journal in a file."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from broker.core import Core
from broker.shell import Shell, Sockets
from broker.sqlite_journal.journal import SqliteJournal
from broker.tally import Tally
from tests.waiting import TIMEOUT_S

JOURNAL = "journal.sqlite3"


@contextlib.contextmanager
def served_shell(core: Core, sockets: Sockets, folder: Path, tally: Tally) -> Iterator[None]:
    """Inside, it serves, and its journal is a file in the folder."""
    # The sockets' thread is the shell's; SQLite wants its connection made where it is used.
    shells: list[Shell] = []
    started = threading.Event()

    def serve() -> None:
        with SqliteJournal(folder / JOURNAL) as journal:
            shells.append(Shell(core, journal, sockets, keep_days=30.0, tally=tally))
            started.set()
            shells[0].run()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert started.wait(TIMEOUT_S)
        yield
    finally:
        for shell in shells:
            shell.stop()
        thread.join(TIMEOUT_S)
