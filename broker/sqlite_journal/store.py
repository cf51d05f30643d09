"""A journal in an SQLite file, as commands and the broker's start see it."""

from __future__ import annotations

import os
from pathlib import Path

from broker.journal import JournalContents, JournalError, Leader, Wait, refuse_to_wait
from broker.sqlite_journal.backup import back_up, begin_anew, restore
from broker.sqlite_journal.file import CURES, examine, is_blank, refuse_damaged_log, refuse_unreadable, refuse_vanished
from broker.sqlite_journal.journal import SqliteJournal
from broker.sqlite_journal.view import SqliteView


class SqliteStore:
    """See JournalStore."""

    cures = CURES

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown = str(path)

    def open(self, wait: Wait = refuse_to_wait) -> SqliteJournal:
        return SqliteJournal(self.path)

    def open_view(self) -> SqliteView:
        return SqliteView.of_file(self.path)

    def leader(self) -> Leader | None:
        return None

    def is_blank(self) -> bool:
        return is_blank(self.path)

    def check(self) -> None:
        refuse_unreadable(self.path)
        refuse_vanished(self.path)
        if self.is_blank():
            return
        refuse_damaged_log(self.path)
        examine(self.path)
        if not (os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)):
            raise JournalError(
                f"User {os.geteuid()} may not write to the journal {self.path} or its folder; start TFModel as the "
                "user that they belong to."
            )

    def examine(self) -> JournalContents:
        return examine(self.path)

    def concerns(self) -> tuple[str, ...]:
        return ()

    def begin_anew(self) -> str:
        aside = begin_anew(self.path)
        return f"The old journal is kept as {aside}." if aside else ""

    def back_up(self, target: Path, overwrite: bool) -> JournalContents:
        return back_up(self.path, target, overwrite)

    def restore(self, backup: Path) -> tuple[JournalContents, Path | None]:
        return restore(backup, self.path)
