"""What concerns a journal in PostgreSQL alone: connections that are lost, servers that do not fit, passwords."""

from __future__ import annotations

import logging
import os
import random
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -r requirements-cluster.txt")

from broker import task_lists
from broker.facts import Record, Submitted, evolve
from broker.journal import BrokenJournalError, Journal, JournalError, refuse_to_wait
from broker.journal_store import read_story
from broker.postgres_journal import store as postgres_store
from broker.postgres_journal.connection import Connection, UnreachableError
from broker.postgres_journal.journal import PostgresJournal
from broker.postgres_journal.keys import KEPT_BYTES, beyond, key_of
from broker.postgres_journal.migrations import MIGRATIONS
from broker.postgres_journal.store import PostgresStore
from broker.postgres_journal.view import PostgresView
from broker.task_lists import TaskLists
from protocol.queries import TaskPage, TasksWanted
from protocol.task import Task, TaskState
from protocol.task_filter import TaskFilter
from tests.free_ports import free_ports
from tests.listed_tasks import ANY_FILTERS, ORDERS, make_task
from tests.postgres_server import PostgresServer, server_or_skip
from tests.sample_tasks import hex_id, make_spec
from tests.waiting import TIMEOUT_S, wait_until

SECRET = "s3cr%3Ft"
SECRET_IN_CLEAR = "s3cr?t"


@pytest.fixture
def store() -> PostgresStore:
    return PostgresStore(server_or_skip().new_url())


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server that the test may stop."""
    server_or_skip()
    server = PostgresServer()
    yield server
    server.remove()


def submit(journal: Journal, number: int) -> None:
    record = Record(number, 1.0, hex_id(number), Submitted(make_spec(hex_id(number))))
    journal.append([record], [evolve(None, record)])


def test_a_broker_whose_connection_is_lost_writes_nothing_and_another_one_can_open_the_journal(
    store: PostgresStore,
) -> None:
    first = store.open()
    assert isinstance(first, PostgresJournal)
    with pytest.raises(JournalError, match="Another broker is using the journal"):
        store.open()
    with store.connected() as db:
        db.execute("SELECT pg_terminate_backend(%s)", [first._db.info.backend_pid])
    with pytest.raises(JournalError, match="failed"):
        submit(first, 1)
    first.close()
    # The server may need a moment to end the session of the first one.
    store.open(lambda _: None).close()


def test_a_broker_that_ends_gives_its_lock_back_at_once(store: PostgresStore) -> None:
    key = store._place.lock_key
    with store.connected() as other:
        for _ in range(20):
            store.open().close()
            # The server ends the session of a closed connection later than this.
            got = other.execute("SELECT pg_try_advisory_lock(%s), pg_advisory_unlock(%s)", [key, key]).fetchone()
            assert got == (True, True)


def test_two_schemas_of_a_database_are_two_journals() -> None:
    server = server_or_skip()
    with PostgresStore(server.new_url()).open() as one, PostgresStore(server.new_url()).open() as other:
        submit(one, 1)
        assert (one.last_seq(), other.last_seq()) == (1, 0)


def test_commits_are_durable_whatever_the_server_has_as_its_default(own_server: PostgresServer) -> None:
    with PostgresStore(own_server.url()).connected() as db:
        db.execute("ALTER DATABASE postgres SET synchronous_commit = 'off'")
    with PostgresStore(own_server.url()).open() as journal:
        assert isinstance(journal, PostgresJournal)
        assert journal._db.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_server_that_may_lose_commits_is_named(store: PostgresStore, caplog: pytest.LogCaptureFixture) -> None:
    store.open().close()
    assert "action=journal.endangered reason='The PostgreSQL server has fsync = off" in caplog.text
    assert any("fsync = off" in concern for concern in store.concerns())


def test_a_connection_that_is_lost_fails_the_commit_and_the_start_waits_for_the_server(
    own_server: PostgresServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_store, "RETRY_S", 0.02)
    store = PostgresStore(own_server.url())
    with store.open() as journal:
        submit(journal, 1)
        own_server.stop(signal.SIGQUIT)
        with pytest.raises(JournalError, match="failed"):
            submit(journal, 2)
    with pytest.raises(UnreachableError, match="Cannot connect to the journal"):
        store.examine()
    opened: list[Journal] = []
    thread = threading.Thread(target=lambda: opened.append(store.open()))
    with caplog.at_level(logging.WARNING):
        thread.start()
        wait_until(lambda: "action=journal.awaited" in caplog.text, "a sentence in the log")
        own_server.start()
        thread.join(TIMEOUT_S)
    assert "The broker waits for it." in caplog.text
    assert caplog.text.count("action=journal.awaited") == 1, "not one for each try"
    with opened[0] as journal:
        assert journal.last_seq() == 1


def test_a_server_that_hangs_is_given_up(own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a disk that does not answer: the network is fine, so keepalives notice nothing."""
    with PostgresStore(own_server.url()).open() as journal:
        assert isinstance(journal, PostgresJournal)
        submit(journal, 1)
        monkeypatch.setattr(Connection, "answer_limit_s", 0.3)
        pid = journal._db.info.backend_pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(JournalError, match="timeout"):
                submit(journal, 2)
        finally:
            os.kill(pid, signal.SIGCONT)


def test_no_error_shows_the_password(own_server: PostgresServer, caplog: pytest.LogCaptureFixture) -> None:
    (closed_port,) = free_ports(1)
    with PostgresStore(own_server.url()).connected() as db:
        db.execute(f"CREATE ROLE anna LOGIN PASSWORD '{SECRET_IN_CLEAR}'")
    (own_server.folder / "data" / "pg_hba.conf").write_text(
        "host all anna 127.0.0.1/32 scram-sha-256\nhost all postgres 127.0.0.1/32 trust\n"
    )
    with PostgresStore(own_server.url()).connected() as db:
        db.execute("SELECT pg_reload_conf()")
    said = []
    for place in (
        f"anna:{SECRET}@127.0.0.1:{closed_port}/x",
        f"anna:{SECRET}x@127.0.0.1:{own_server.port}/postgres",
        f"anna:{SECRET}@127.0.0.1:{own_server.port}/postgres",  # Anna may make no schema.
        f"anna:{SECRET}@127.0.0.1:{own_server.port}/missing",
        f"anna:{SECRET}@127.0.0.1:{own_server.port}/postgres?unknown=1",
    ):
        with pytest.raises(JournalError) as refused:
            PostgresStore(f"postgresql://{place}")._open(refuse_to_wait)
        said.append(str(refused.value))
    assert "password authentication failed" in said[1]
    assert "permission denied for database postgres. An administrator" in said[2]
    for text in (*said, caplog.text):
        assert not re.search("s3cr|cr%3F", text), text


def test_a_schema_of_another_program_and_of_a_newer_release_are_refused(store: PostgresStore) -> None:
    with store.open() as journal:
        submit(journal, 1)
    with store.connected() as db:
        db.execute("UPDATE journal SET version = %s", [len(MIGRATIONS) + 1])
    with pytest.raises(BrokenJournalError, match="newer release"):
        store.open()
    with store.connected() as db:
        db.execute("DROP TABLE tasks")
    for ask in (store.open, store.examine, store.is_blank):
        with pytest.raises(BrokenJournalError, match="not those of a journal of TFModel"):
            ask()


def test_a_database_that_cannot_keep_every_text_is_refused() -> None:
    server = server_or_skip()
    with PostgresStore(server.url()).connected() as db:
        db.execute("DROP DATABASE IF EXISTS latin")
        db.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(BrokenJournalError, match=r"LATIN1.*createdb --encoding=UTF8"):
        PostgresStore(server.url(database="latin")).open()


def test_a_journal_whose_tables_are_dropped_ends_the_broker_for_good(store: PostgresStore) -> None:
    with store.open() as journal:
        submit(journal, 1)
        with store.connected() as db:
            db.execute("DROP TABLE tasks, facts, task_metadata, journal")
        with pytest.raises(BrokenJournalError):
            submit(journal, 2)


def test_commands_say_what_to_use_instead(store: PostgresStore) -> None:
    with pytest.raises(JournalError, match="pg_dump"):
        store.back_up(Path("/backup"), overwrite=False)
    with pytest.raises(JournalError, match="pg_restore"):
        store.restore(Path("/backup"))
    assert store.is_blank()
    assert store.begin_anew() == ""
    assert not store.is_blank()
    with pytest.raises(JournalError, match=r"is sound \(0 tasks"):
        store.begin_anew()
    with store.open() as journal:
        submit(journal, 1)
    assert str(store.examine()) == "1 tasks, of which 1 have not ended"
    assert [record.seq for record in read_story(store, hex_id(1))] == [1]
    store.check()


def test_texts_longer_than_an_index_entry_are_kept_and_found(store: PostgresStore) -> None:
    chance = random.Random(1)
    long = "".join(chr(chance.randrange(0xA1, 0xD7FF)) for _ in range(4096))
    spec = make_spec(hex_id(1), long, project_id=long[::-1], metadata={"order": long[:500]}, project_dir=long)
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append([Record(1, 1.0, spec.task_id, Submitted(spec))], [Task(spec, submitted_at_s=1.0)])
        for wanted, count in (
            (TaskFilter(user_id=long, project_id=long[::-1], metadata={"order": long[:500]}), 1),
            (TaskFilter(user_id=long[:-1]), 0),
            (TaskFilter(search=long), 1),
            (TaskFilter(search=long[:-1]), 1),
            (TaskFilter(search=long[:100]), 1),
            (TaskFilter(search=long[:-1] + "\0"), 0),
        ):
            page = TaskLists(view).page(TasksWanted(1, wanted))
            assert isinstance(page, TaskPage)
            assert (len(page.tasks), page.counts[TaskState.PENDING]) == (count, count)


def test_a_key_stands_for_its_text_alone() -> None:
    texts = ["", "a", "a" * 199, "a" * 200, "a" * 201, "ä" * 99 + "a", "ä" * 100, "a\0"]
    assert len({key_of(text) for text in texts}) == len(texts)
    assert max(len(key_of(text * 50)) for text in texts) == 200
    for text in texts[2:5]:
        start = text.encode()[:KEPT_BYTES]
        assert start <= key_of(text) < beyond(start)


@pytest.mark.parametrize("few", [0, 500])
def test_lists_are_read_from_indexes_that_have_all_they_need(
    store: PostgresStore, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search through the big records would take a second where there are many tasks."""
    monkeypatch.setattr(task_lists, "FEW_TASKS", few)
    asked: list[tuple[str, list[object]]] = []
    listed = PostgresView._listed

    def note(view: PostgresView, query: tuple[str, list[object]]) -> object:
        asked.append(query)
        return listed(view, query)

    monkeypatch.setattr(PostgresView, "_listed", note)
    chance = random.Random(5)
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append([], [make_task(number, chance) for number in range(2000)])
        with store.connected() as db:
            db.execute("VACUUM ANALYZE")
        for wanted in ANY_FILTERS:
            if few == 0 and wanted.retry_of:
                continue  # No task has many retries, so the index by end does not know them.
            for order in ORDERS:
                TaskLists(view).page(TasksWanted(1, wanted, order))
        plans = {
            text: "\n".join(row[0] for row in view._db.execute(f"EXPLAIN (COSTS OFF) {text}", values))
            for text, values in asked
        }
    assert len(plans) > 20
    for text, plan in plans.items():
        assert "Seq Scan" not in plan, (text, plan)
        assert "Bitmap" not in plan, (text, plan)
        # Few tasks of a user are sorted by their end, instead of looking for them among all that have ended.
        assert "ORDER BY submitted_at_s" not in text or "Sort" not in plan, (text, plan)
        if "task_id = ANY" not in text and "EXISTS" not in text:
            assert "Index Only Scan" in plan, (text, plan)
