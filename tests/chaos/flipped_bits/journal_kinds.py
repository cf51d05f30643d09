"""The journal: its file as it lies there after a stop, and the write-ahead log after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import msgspec

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import Now
from broker.facts import Cancelled, Record, Submitted, evolve
from broker.journal import JournalError
from broker.scrub import read_all
from broker.sqlite_journal.journal import SqliteJournal
from broker.sqlite_journal.store import SqliteStore
from broker.task_lists import TaskLists
from protocol import messages as m
from protocol.queries import TasksWanted
from protocol.task_filter import TaskFilter
from tests.chaos.flipped_bits.flipping import FoundError, Kind
from tests.sample_tasks import hex_id, make_spec

NAME = "journal.sqlite3"
TASKS = 24
NOW = Now(2000.0, 2000.0)


def _fill(path: Path) -> SqliteJournal:
    journal = SqliteJournal(path)
    for number in range(TASKS):
        seq, task_id = journal.last_seq(), hex_id(number)
        spec = make_spec(task_id, user_id=f"user {number % 3}", metadata={"order": str(number)}, request_key=task_id)
        submitted = Record(seq + 1, 1000.0 + number, task_id, Submitted(spec))
        task = evolve(None, submitted)
        journal.append([submitted], [task])
        if number % 2:
            cancelled = Record(seq + 2, 1500.0 + number, task_id, Cancelled(1, 0.0))
            journal.append([cancelled], [evolve(task, cancelled)])
    return journal


def make_stopped(folder: Path) -> Sequence[Path]:
    journal = _fill(folder / NAME)
    journal.prune(1510.0)
    journal.close()
    return [folder / NAME]


def make_killed(folder: Path) -> Sequence[Path]:
    journal = _fill(folder / "running.sqlite3")
    for ending in ("", "-wal", ".lock"):
        shutil.copy(folder / f"running.sqlite3{ending}", folder / (NAME + ending))
    journal.close()
    for path in folder.glob("running.sqlite3*"):
        path.unlink()
    return [folder / (NAME + "-wal")]


def read(folder: Path) -> Iterator[Hashable]:
    """As `start` checks it, and as a broker then replays it, lists it and reads it through."""
    store = SqliteStore(folder / NAME)
    try:
        store.check()
        with store.open() as journal:
            core = Core(CoreSettings(data_roots=("/",)))
            recovered = journal.recovered(1000, 0.0)
            if core.recover(recovered, NOW):
                raise FoundError("the log names tasks that are left out")
            read_all(journal.view, lambda: False)
            with journal.view.snapshot():
                page = TaskLists(journal.view).page(TasksWanted(1, TaskFilter(), most=100))
            assert not isinstance(page, m.Refused), page
            yield "seq", journal.last_seq(), journal.view.pruned_up_to()
    except JournalError as error:
        raise FoundError(str(error)) from error
    yield from (("fact", msgspec.json.encode(record)) for record in recovered.records)
    yield from (("live", msgspec.json.encode(task)) for task in core.tasks.values())
    yield from (("ended", msgspec.json.encode(task)) for task in recovered.ended)
    yield from (("listed", msgspec.json.encode(task)) for task in page.tasks)


KINDS = (
    Kind("journal, stopped", "a CRC-32 in each fact and task; SQLite's integrity check", make_stopped, read),
    Kind("journal, write-ahead log", "the log's own checksums, compared before SQLite reads it", make_killed, read),
)
