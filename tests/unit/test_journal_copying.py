"""Moving a journal to another place, whatever the kinds of the two."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from broker.journal import JournalError
from broker.journal_copying import Copied, copy_journal
from broker.journal_store import JournalStore
from broker.sqlite_journal.store import SqliteStore
from service.exit_codes import ExitCode
from service.journal_commands import copy
from service.screen import Screen
from tests.journals import AGAIN, DONE, GONE, JOURNALS, LATE, WAITING, Recorder, live, new_store, run_sql
from tests.postgres_server import server_or_skip

TO_AND_FRO = [(JOURNALS[0], JOURNALS[1]), (JOURNALS[1], JOURNALS[0])]


@pytest.fixture(params=TO_AND_FRO, ids=["to postgres", "to sqlite"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[JournalStore, JournalStore]:
    """A journal with four tasks and ten facts, and an empty place."""
    source, target = (new_store(kind, tmp_path) for kind in request.param)
    with source.open() as journal:
        live(Recorder(journal))
    return source, target


def test_a_copy_has_all_facts_and_tasks_and_goes_on_with_the_numbers(
    places: tuple[JournalStore, JournalStore],
) -> None:
    source, target = places
    with source.open() as journal:
        recorder = Recorder(journal)
        recorder.core.seq = journal.last_seq()
        recorder.now_s = 3000.0
        recorder.submit(LATE)
        recorder.cancel(LATE)
        assert journal.prune(2000.0) == 2
        before = journal.recovered(10, 0.0), journal.view.pruned_up_to()
    assert copy_journal(source, target) == Copied(facts=7, tasks=3, left_out=())
    with target.open() as journal:
        assert (journal.recovered(10, 0.0), journal.view.pruned_up_to()) == before
        assert journal.last_seq() == 13


def test_a_task_that_cannot_be_read_is_left_out_whole_and_named(places: tuple[JournalStore, JournalStore]) -> None:
    source, target = places
    run_sql(source, "UPDATE facts SET fact = '{' WHERE task_id = %s AND fact LIKE %s", AGAIN, "%Leased%")
    run_sql(source, "UPDATE tasks SET task = '{' WHERE task_id = %s", GONE)
    copied = copy_journal(source, target)
    assert (copied.tasks, copied.left_out) == (2, tuple(sorted((AGAIN, GONE))))
    with target.open() as journal:
        assert journal.task(DONE) is not None
        assert [record.task_id for record in journal.live_records()] == [WAITING]
        assert journal.last_seq() == 10, "the numbers of what was left out are not given again"


def test_a_place_in_use_and_one_with_a_journal_are_refused(places: tuple[JournalStore, JournalStore]) -> None:
    source, target = places
    with pytest.raises(JournalError, match="There is no journal at"):
        copy_journal(target, source)
    with source.open(), pytest.raises(JournalError, match="Another broker is using"):
        copy_journal(source, target)
    copy_journal(source, target)
    with pytest.raises(JournalError, match=r"has a journal already \(4 tasks"):
        copy_journal(source, target)


def test_the_command_names_what_it_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in list(os.environ):
        if name.startswith("TFMODEL_"):
            monkeypatch.delenv(name)
    url = server_or_skip().new_url()
    monkeypatch.setenv("TFMODEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TFMODEL_BROKER_JOURNAL", url.replace("postgres@", "postgres:s3cret@"))
    source = SqliteStore(tmp_path / "old.sqlite3")
    assert copy(str(source.path)) == ExitCode.FAILED
    assert "There is no journal" in capsys.readouterr().err
    with source.open() as journal:
        live(Recorder(journal))
    assert copy(str(source.path), screen=Screen(json=True)) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert (document["facts"], document["tasks"], document["leftOut"]) == (10, 4, [])
    assert copy(str(source.path)) == ExitCode.FAILED
    assert copy("mysql://anna:s3cret@host/x") == ExitCode.FAILED
    said = capsys.readouterr()
    assert "has a journal already" in said.err
    assert "s3cret" not in said.err + said.out + str(document)
