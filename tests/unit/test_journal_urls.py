"""[broker] journal as a URL: what is taken, and that a refusal never shows a password."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from broker.journal import BrokenJournalError
from broker.journal_store import journal_store
from broker.sqlite_journal.store import SqliteStore
from conf.settings import SettingsError, load

REFUSED = (
    "mysql://anna:s3cret@host/journal",
    "Postgresql://anna:s3cret@host/journal",
    "postgresql://anna:s3cret@ret@host/journal",
    "postgresql://anna:s3c/ret@host/journal",
    "postgresql://anna:12/s3cret@host/journal",
    "postgresql://anna:s3cret%@host/journal",
    "postgresql://anna:s3c#ret@host/journal",
    "postgresql://anna:s3c?ret@host/journal",
    "postgresql://anna:s3c:ret@host/journal",
    "postgresql://anna:s3c ret@host/journal",
    "postgresql://anna:s3cret@host:port/journal",
)
TAKEN = (
    "postgresql://host/journal",
    "postgres://anna@host:5432/journal",
    "postgresql://anna:s3c%40ret@host/journal?sslmode=verify-full&sslrootcert=/etc/ssl/root.pem",
    "postgresql://anna:s3c[ret@host/journal",
    "postgresql://anna:s3c\N{ACCOUNT OF}ret@host/journal",  # its compatible form has a slash
    "postgresql://:s3cret@host/journal",
    "postgresql://anna@[::1]:5432/journal",
    "postgresql://anna@one:5432,two:5432/journal?target_session_attrs=read-write",
    "postgresql:///journal?host=/run/postgresql&options=-csearch_path%3Dtraining",
    "postgresql://%2Frun%2Fpostgresql/journal",
)


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_would_be_misread_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsError, match=r"\[broker\] journal is not allowed.*postgresql://USER@HOST") as refused:
        load({"TFMODEL_BROKER_JOURNAL": url})
    assert "s3c" not in str(refused.value)
    assert "ret@" not in str(refused.value)


@pytest.mark.parametrize("url", TAKEN)
def test_a_url_is_kept_as_it_is_and_its_password_is_not_shown(url: str) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed; pip install -r requirements-cluster.txt")
    from broker.postgres_journal.store import PostgresStore

    broker = load({"TFMODEL_BROKER_JOURNAL": url}).broker
    assert broker.journal == url
    store = journal_store(broker)
    assert isinstance(store, PostgresStore)
    assert store.shown.startswith("postgresql://")
    assert store.shown.endswith("/journal")
    assert "s3c" not in store.shown
    schema = "training" if "search_path" in url else "tfmodel"
    assert store._place.schema == schema


def test_anything_else_is_the_path_of_a_file(tmp_path: Path) -> None:
    broker = load({"TFMODEL_HOME": str(tmp_path), "TFMODEL_BROKER_JOURNAL": "postgresql:/journal"}).broker
    store = journal_store(broker)
    assert isinstance(store, SqliteStore)
    assert store.path == tmp_path / "postgresql:" / "journal"


def test_without_the_driver_the_refusal_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("broker.postgres_journal")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    broker = load({"TFMODEL_BROKER_JOURNAL": "postgresql://anna:s3cret@host/journal"}).broker
    with pytest.raises(BrokenJournalError, match=r"pip install -r requirements-cluster\.txt") as refused:
        journal_store(broker)
    assert "s3cret" not in str(refused.value)
