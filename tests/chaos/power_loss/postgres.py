"""The journal in PostgreSQL: a real server writes to the recorded disk, and a server is started on what is left."""

from __future__ import annotations

import importlib.util
import os
import pwd
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import Now
from broker.facts import Cancelled, Record, Submitted, evolve
from broker.journal import Journal, JournalError
from tests.chaos.power_loss.recording import mark
from tests.chaos.power_loss.scenario import Problem
from tests.postgres_server import OTHER_USER, PostgresServer, binaries
from tests.sample_tasks import hex_id, make_spec

CAN_SERVE = importlib.util.find_spec("psycopg") is not None and binaries() is not None
SAFE = {
    "fsync": "on",
    "full_page_writes": "on",
    "shared_buffers": "2MB",
    "min_wal_size": "32MB",
    "max_wal_size": "32MB",
}
TASKS_A_LIFE = 6
NOW = Now(2000.0, 2000.0)


class ServingPostgres:
    """Tasks are written to the journal, the server is stopped as by a crash, and started again."""

    name = "journal in PostgreSQL"
    needs_synced_folders = False

    def prepare(self, folder: Path) -> None:
        folder.parent.chmod(0o755)
        _give(folder)
        with _served(folder):
            pass
        (folder / "log").unlink()

    def act(self, folder: Path) -> None:
        for life in range(2):
            with _served(folder, signal.SIGQUIT) as server, closing(_journal(server)) as journal:
                for number in range(TASKS_A_LIFE):
                    _submit_and_end(journal, life * TASKS_A_LIFE + number)

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        folder.parent.chmod(0o755)
        _give(folder)
        try:
            with _served(folder) as server, closing(_journal(server)) as journal:
                core = Core(CoreSettings(data_roots=("/",)))
                left_out = core.recover(journal.recovered(1000, 0.0), NOW)
                ended = {task.task_id for task in journal.recent_ended(1000)}
        except (RuntimeError, JournalError) as error:
            yield Problem("torn", f"no server or no broker starts: {str(error)[-500:]}")
            return
        yield from (Problem("torn", f"task {task_id} is left out: {reason}") for task_id, reason in left_out.items())
        for state, task_id in map(str.split, marks):
            if task_id not in ended and (state != "waiting" or task_id not in core.tasks):
                yield Problem("lost", f"task {task_id} was told to be {state}")


@contextmanager
def _served(folder: Path, how: signal.Signals = signal.SIGINT) -> Iterator[PostgresServer]:
    server = PostgresServer(folder, **SAFE)
    try:
        yield server
    finally:
        server.stop(how)


def _journal(server: PostgresServer) -> Journal:
    from broker.postgres_journal.store import PostgresStore

    return PostgresStore(server.url()).open()


def _submit_and_end(journal: Journal, number: int) -> None:
    seq, task_id = journal.last_seq(), hex_id(number)
    submitted = Record(seq + 1, 1000.0, task_id, Submitted(make_spec(task_id)))
    task = evolve(None, submitted)
    journal.append([submitted], [task])
    mark(f"waiting {task_id}")
    cancelled = Record(seq + 2, 1000.0, task_id, Cancelled(1, 0.0))
    journal.append([cancelled], [evolve(task, cancelled)])
    mark(f"cancelled {task_id}")


def _give(folder: Path) -> None:
    """PostgreSQL refuses to run as root, so its files belong to another user."""
    if os.geteuid() == 0:
        other = pwd.getpwnam(OTHER_USER)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, other.pw_uid, other.pw_gid, follow_symlinks=False)
