"""The journal's file at a start: damaged, foreign, newer, unreadable or vanished, it is refused in words."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.facts import Record, Submitted, evolve
from broker.journal import BrokenJournalError, JournalError
from broker.journal_store import read_story
from broker.sqlite_journal.backup import begin_anew
from broker.sqlite_journal.file import MIGRATIONS, examine, lock_path
from broker.sqlite_journal.journal import SqliteJournal
from broker.sqlite_journal.store import SqliteStore
from tests.sample_tasks import make_spec


def task_id(number: int) -> str:
    return f"{number:032x}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound journal of 300 tasks, in a folder whose name means something in a URI."""
    path = tmp_path / "50%41? #state" / "journal.sqlite3"
    with SqliteJournal(path) as journal:
        records = [Record(seq, 1.0, task_id(seq), Submitted(make_spec(task_id(seq)))) for seq in range(1, 301)]
        journal.append(records, [evolve(None, record) for record in records])
    return path


def run_sql(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(sql)
    db.close()


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def foreign(path: Path) -> None:
    path.unlink()
    run_sql(path, "CREATE TABLE songs (title TEXT)")


def of_a_foreign_version(path: Path) -> None:
    foreign(path)
    run_sql(path, "PRAGMA user_version = 1")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "random bytes": (lambda path: path.write_bytes(os.urandom(20_000)), "damaged or is no SQLite file"),
    "text": (lambda path: path.write_text("not a database " * 100), "damaged or is no SQLite file"),
    "a header only": (lambda path: os.truncate(path, 100), "damaged"),
    "half of it": (lambda path: os.truncate(path, path.stat().st_size // 8192 * 4096), "damaged"),
    "pages overwritten": (lambda path: overwrite(path, 8192, os.urandom(30_000)), "damaged"),
    "emptied": (lambda path: os.truncate(path, 0), "has vanished"),
    "removed": (lambda path: path.unlink(), "has vanished"),
    "foreign": (foreign, "not a journal of TFModel"),
    "foreign with a version": (of_a_foreign_version, "not a journal of TFModel"),
    "newer": (lambda path: run_sql(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}"), "of a newer release"),
    "a folder": (folder, "is a folder"),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_journal_is_refused_with_what_to_do_and_left_as_it_is(path: Path, breakage: str) -> None:
    break_it, words = BREAKAGES[breakage]
    break_it(path)
    before = path.read_bytes() if path.is_file() else None
    if words != "has vanished":
        with pytest.raises(BrokenJournalError, match=words) as refused:
            examine(path)
        assert str(path) in str(refused.value)
    if breakage not in ("half of it", "pages overwritten"):  # found by reading it from end to end, at `server.py start`
        with pytest.raises(BrokenJournalError, match=words) as refused:
            SqliteJournal(path)
        assert str(path) in str(refused.value)
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("breakage", ["random bytes", "removed", "emptied", "foreign", "newer", "a folder"])
def test_an_operator_can_begin_anew_and_keeps_what_was_there(path: Path, breakage: str) -> None:
    BREAKAGES[breakage][0](path)
    begin_anew(path)
    with SqliteJournal(path) as journal:
        assert journal.last_seq() == 0
    kept = [file for file in path.parent.glob("journal.sqlite3.until-*") if not file.name.endswith(("-wal", "-shm"))]
    assert len(kept) == (0 if breakage == "removed" else 1)


def test_a_sound_journal_is_not_given_up_by_a_word_on_a_command_line(path: Path) -> None:
    with pytest.raises(JournalError, match="is sound"):
        begin_anew(path)
    assert examine(path).tasks == 300


def test_a_journal_that_a_broker_holds_is_not_given_up(path: Path) -> None:
    with SqliteJournal(path), pytest.raises(JournalError, match="Another broker"):
        begin_anew(path)


def test_a_journal_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(BrokenJournalError, match="may not read"):
        examine(path)


def test_a_first_start_makes_a_journal_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "var" / "journal.sqlite3"
    with SqliteJournal(path) as journal:
        journal.append([Record(1, 1.0, task_id(1), Submitted(make_spec(task_id(1))))], [])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes) == {path.name, path.name + "-wal", path.name + "-shm", lock_path(path).name}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_start_that_died_before_it_wrote_anything_is_still_the_first(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    path.touch()
    lock_path(path).touch()
    SqliteJournal(path).close()
    assert examine(path).tasks == 0


def test_a_task_of_which_a_bit_has_flipped_is_left_out_and_the_others_are_served(path: Path) -> None:
    run_sql(path, f"UPDATE tasks SET task = CAST(x'7bff00' AS TEXT), state = 'done' WHERE task_id = '{task_id(1)}'")
    run_sql(path, f"UPDATE facts SET fact = CAST(x'7bff00' AS TEXT) WHERE task_id = '{task_id(2)}'")
    run_sql(path, f"UPDATE facts SET at_s = 'a text' WHERE task_id = '{task_id(3)}'")
    run_sql(path, f"UPDATE facts SET at_s = 1e300 WHERE task_id = '{task_id(4)}'")
    with SqliteJournal(path) as journal:
        assert journal.task(task_id(1)) is None
        assert journal.recent_ended(10) == []
        assert {record.task_id for record in journal.live_records()} == {task_id(number) for number in range(5, 301)}


def test_a_crash_right_after_append_loses_nothing(path: Path, tmp_path: Path) -> None:
    with SqliteJournal(path) as journal:
        journal.append([Record(301, 1.0, task_id(301), Submitted(make_spec(task_id(301))))], [])
        # The files as they lie on disk now, without the courtesy of a close.
        copy = tmp_path / "copy.sqlite3"
        for suffix in ("", "-wal"):
            copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    with SqliteJournal(copy) as crashed:
        assert crashed.last_seq() == 301


def test_every_commit_is_synced_before_append_returns(path: Path) -> None:
    with SqliteJournal(path) as journal:
        pragmas = [journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


def test_no_story_without_a_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="unable to open"):
        read_story(SqliteStore(tmp_path / "none"), task_id(1))
