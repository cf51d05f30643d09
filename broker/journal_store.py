"""Where the journal is kept, by the setting [broker] journal: a file, or a database in PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec

from broker.facts import Record
from broker.journal import (
    BrokenJournalError,
    Journal,
    JournalContents,
    JournalError,
    Leader,
    Wait,
    refuse_to_wait,
)
from broker.journal_rows import record_of
from broker.journal_view import JournalView
from broker.sqlite_journal.store import SqliteStore
from conf.broker_settings import BrokerSettings, is_url
from conf.cluster_packages import INSTALL

MISSING_PACKAGE = "A journal in PostgreSQL needs a package that is not installed ({error})."


class JournalStore(Protocol):
    """One place for a journal. The broker opens it, and commands look at it. Every method raises JournalError."""

    #: The place in logs and errors. It has no password.
    @property
    def shown(self) -> str: ...

    #: What a person can do if the journal is lost, as sentences.
    @property
    def cures(self) -> str: ...

    def open(self, wait: Wait = refuse_to_wait) -> Journal:
        """Open it for the only writer. Creates the journal if there has never been one, and migrates its tables.

        wait: what to do while another broker leads. Where only one broker can ever lead, it is not called.
        """

    def open_view(self) -> JournalView:
        """Open it for reading, also while a broker runs."""

    def leader(self) -> Leader | None:
        """Which broker leads, or led last. None if only one broker can use the journal, or if none ever did."""

    def is_blank(self) -> bool:
        """Whether no journal has been created."""

    def check(self) -> None:
        """Raise JournalError unless a broker could use the place now. A blank one is fine."""

    def examine(self) -> JournalContents:
        """Read the whole journal. Raises BrokenJournalError if it is not sound."""

    def concerns(self) -> tuple[str, ...]:
        """What endangers the journal though it is sound, as sentences that say what to do."""

    def begin_anew(self) -> str:
        """Let the next broker create an empty journal. Returns what became of a damaged one, as a sentence, or "".

        A sound journal is kept and JournalError raised: an option on a command line must not be enough to lose it.
        """

    def back_up(self, target: Path, overwrite: bool) -> JournalContents:
        """Write a copy to a file."""

    def restore(self, backup: Path) -> tuple[JournalContents, Path | None]:
        """Replace the journal by a copy. Returns its content, and where the old journal was moved to."""


def journal_store(broker: BrokerSettings) -> JournalStore:
    """The place that the settings name. Raises BrokenJournalError if a package for it is missing."""
    return store_at(broker.journal)


def store_at(place: str) -> JournalStore:
    """The journal at a path or URL, written as in the settings."""
    if not is_url(place):
        return SqliteStore(Path(place))
    try:
        from broker.postgres_journal.store import PostgresStore
    except ImportError as error:
        raise BrokenJournalError(MISSING_PACKAGE.format(error=error), f"Run '{INSTALL}'.") from error
    return PostgresStore(place)


def read_story(store: JournalStore, task_id: str) -> list[Record]:
    """Read a task's facts in order, also while a broker runs. Raises JournalError if one of them cannot be read."""
    with closing(store.open_view()) as view, view.snapshot():
        try:
            return [record_of(row) for row in view.facts_of(task_id)]
        except msgspec.DecodeError as error:
            raise JournalError(f"Cannot read the journal {store.shown}: {error}") from error


def open_journal(broker: BrokerSettings) -> Journal:
    """Open the journal that the settings name for its only writer. Raises JournalError if that is impossible now."""
    return journal_store(broker).open()
