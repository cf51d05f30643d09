"""Both kinds of journals, for tests that each of them must pass."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import FromWeb, FromWorker, Now
from broker.journal import Journal
from broker.journal_store import JournalStore
from broker.sqlite_journal.store import SqliteStore
from protocol import messages as m
from protocol.errors import Failure, FailureClass
from protocol.task import Trained
from tests.postgres_server import server_or_skip
from tests.sample_tasks import hex_id, make_spec

JOURNALS = ("sqlite", "postgres")


DONE, AGAIN, GONE, WAITING, T1, LATE = map(hex_id, range(6))


def postgres_store() -> JournalStore:
    """A journal that nobody has used, in the server of this test session."""
    server = server_or_skip()
    from broker.postgres_journal.store import PostgresStore

    return PostgresStore(server.new_url())


def new_store(kind: str, folder: Path) -> JournalStore:
    return SqliteStore(folder / "deep" / "journal.sqlite3") if kind == "sqlite" else postgres_store()


@contextmanager
def temporary_store(kind: str) -> Iterator[JournalStore]:
    """For Hypothesis, whose examples share the fixtures of their test."""
    with TemporaryDirectory() as folder:
        yield new_store(kind, Path(folder))


def run_sql(store: JournalStore, statement: str, *values: object) -> None:
    """Change rows behind the journal's back. The marks for values are %s."""
    if isinstance(store, SqliteStore):
        with closing(sqlite3.connect(store.path)) as db, db:
            db.execute(statement.replace("%s", "?"), values)
    else:
        from broker.postgres_journal.store import PostgresStore

        assert isinstance(store, PostgresStore)
        with store.connected() as connection:
            connection.execute(statement, values)


def model_of(task_id: str) -> str:
    return f"/projects/anna/flowers/models/{task_id}/model.tflite"


class Recorder:
    """A core whose facts go to a journal, as the shell does it."""

    def __init__(self, journal: Journal) -> None:
        self.core = Core(CoreSettings(data_roots=("/",)))
        self.journal = journal
        self.now_s = 1000.0

    def handle(self, event: FromWeb | FromWorker) -> None:
        records, _ = self.core.handle(event, Now(self.now_s, self.now_s))
        changed = {record.task_id for record in records}
        self.journal.append(records, [self.core.tasks.get(name) or self.core.recent[name] for name in changed])

    def submit(self, task_id: str) -> None:
        self.handle(FromWeb(b"web", m.Submit(1, make_spec(task_id))))

    def cancel(self, task_id: str) -> None:
        self.handle(FromWeb(b"web", m.Cancel(1, task_id)))

    def worker(self, message: m.WorkerToBroker) -> None:
        self.handle(FromWorker(b"w1", message))


def live(recorder: Recorder) -> Recorder:
    """One task done, one failed and requeued, one cancelled, one waiting."""
    for name in (DONE, AGAIN, GONE, WAITING):
        recorder.submit(name)
    recorder.worker(m.Hello("w1", "s1", "here", ("classification",), True))
    trained = Trained(model_of(DONE), {"accuracy": 0.5})
    recorder.worker(m.Result(DONE, 1, trained=trained))
    recorder.worker(m.Heartbeat(True, None))
    recorder.worker(m.Result(AGAIN, 1, failure=Failure("trainer_error", FailureClass.TRAINER, "It broke.", "trace")))
    recorder.cancel(GONE)
    return recorder
