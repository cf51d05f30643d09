"""A journal in PostgreSQL, as commands and the broker's start see it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from broker.journal import BrokenJournalError, JournalContents, JournalError, Leader, Wait, refuse_to_wait
from broker.postgres_journal.connection import LONG_LIMIT_S, Connection, Place, UnreachableError
from broker.postgres_journal.durability import concerns
from broker.postgres_journal.journal import PostgresJournal
from broker.postgres_journal.leader import leader_of
from broker.postgres_journal.leadership import lead
from broker.postgres_journal.migrations import version_of
from broker.postgres_journal.view import LIVE, PostgresView

log = logging.getLogger("broker")

#: How long to wait before the next try to reach the server, and how often the log says so.
RETRY_S = 1.0
SAY_INTERVAL_S = 30.0


class PostgresStore:
    """See JournalStore."""

    cures = (
        "Restore a dump with pg_restore, copy another journal with 'python server.py journal copy', or start with an "
        "empty one with 'python server.py start --new-journal'."
    )

    def __init__(self, url: str) -> None:
        self._place = Place(url)
        self.shown = self._place.shown

    def open(self, wait: Wait = refuse_to_wait) -> PostgresJournal:
        """As JournalStore says. Waits for a server that cannot be reached, for as long as that takes."""
        say_at_s = time.monotonic()
        while True:
            try:
                return self._open(wait)
            except UnreachableError as error:
                if time.monotonic() >= say_at_s:
                    log.warning("action=journal.awaited reason=%r", f"{error} The broker waits for it.")
                    say_at_s = time.monotonic() + SAY_INTERVAL_S
                time.sleep(RETRY_S)

    def _open(self, wait: Wait) -> PostgresJournal:
        leadership = lead(self._place, wait)
        try:
            return PostgresJournal(self._place, leadership)
        except BaseException:
            leadership.close()
            raise

    def open_view(self) -> PostgresView:
        return PostgresView.of_place(self._place)

    def leader(self) -> Leader | None:
        with self.connected() as db:
            return leader_of(db, self._place)

    def is_blank(self) -> bool:
        with self.connected() as db:
            return version_of(db, self._place) == 0

    def check(self) -> None:
        if not self.is_blank():
            self.examine()

    def examine(self) -> JournalContents:
        with self.connected() as db:
            version = version_of(db, self._place)
            if version == 0:
                raise BrokenJournalError(
                    f"There is no journal at {self.shown} (schema {self._place.schema}).", self.cures
                )
            db.answer_limit_s = LONG_LIMIT_S
            db.execute("SELECT set_config('statement_timeout', %s, false)", [f"{LONG_LIMIT_S * 1000:.0f}"])
            # Counting the characters of each text reads all of them, and the server checks what it reads.
            db.execute("SELECT sum(char_length(fact)) FROM facts")
            row = db.execute(
                "SELECT count(*), count(*) FILTER (WHERE state = ANY(%s)), sum(char_length(task)) FROM tasks", [LIVE]
            ).fetchone()
        assert row is not None
        return JournalContents(version, row[0], row[1])

    def concerns(self) -> tuple[str, ...]:
        with self.connected() as db:
            return tuple(concerns(db))

    def begin_anew(self) -> str:
        if not self.is_blank():
            raise JournalError(
                f"The journal {self.shown} is sound ({self.examine()}), so it is kept; start without --new-journal, or "
                f"rename its schema first: ALTER SCHEMA {self._place.schema} RENAME TO …"
            )
        # The tables are made now, so that the next start finds a journal.
        self.open().close()
        return ""

    def back_up(self, target: Path, overwrite: bool) -> JournalContents:
        raise JournalError(
            f"The journal is in PostgreSQL, so its own program makes the backup: pg_dump --format=custom "
            f"--schema={self._place.schema} --file={target} {self.shown}"
        )

    def restore(self, backup: Path) -> tuple[JournalContents, Path | None]:
        raise JournalError(
            f"The journal is in PostgreSQL, so its own program restores a dump: pg_restore --single-transaction "
            f"--clean --if-exists --dbname={self.shown} {backup}"
        )

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection that is closed at the end. Errors of the database inside become JournalErrors."""
        with closing(self._place.connect("command")) as db, self._place.errors():
            yield db
