"""Backups of the journal: everything that was committed, complete or absent, and brought back only where it is safe."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from broker.facts import Record, Submitted, evolve
from broker.journal import JournalError
from broker.sqlite_journal.backup import UNFINISHED_PATTERN, back_up, restore
from broker.sqlite_journal.file import MIGRATIONS, examine
from broker.sqlite_journal.journal import SqliteJournal
from tests.sample_tasks import make_spec


def task_id(number: int) -> str:
    return f"{number:032x}"


def add(journal: SqliteJournal, *seqs: int) -> None:
    records = [Record(seq, 1.0, task_id(seq), Submitted(make_spec(task_id(seq)))) for seq in seqs]
    journal.append(records, [evolve(None, record) for record in records])


def live(path: Path) -> set[int]:
    """The numbers of the tasks that have not ended."""
    with SqliteJournal(path) as journal:
        return {int(record.task_id, 16) for record in journal.live_records()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "var" / "journal.sqlite3"
    with SqliteJournal(path) as journal:
        add(journal, 1, 2)
    return path


@pytest.fixture
def backup(tmp_path: Path, path: Path) -> Path:
    """Made when the journal held the tasks 1 and 2."""
    target = tmp_path / "backups" / "monday #1"
    target.parent.mkdir()
    back_up(path, target, overwrite=False)
    return target


def test_a_backup_beside_a_broker_holds_what_lies_in_the_write_ahead_log(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with SqliteJournal(path) as journal:
        add(journal, 3)
        assert path.with_name(path.name + "-wal").stat().st_size > 0
        contents = back_up(path, target, overwrite=False)
        add(journal, 4)
    assert (contents.tasks, contents.live) == (3, 3)
    # One file, for its owner only, that stands for itself.
    assert {file.name for file in tmp_path.iterdir()} == {"var", "copy"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    target.rename(tmp_path / "moved")
    assert live(tmp_path / "moved") == {1, 2, 3}


def test_nothing_is_overwritten_unasked(path: Path, backup: Path) -> None:
    backup.write_text("precious")
    with pytest.raises(JournalError, match="--force"):
        back_up(path, backup, overwrite=False)
    assert backup.read_text() == "precious"
    back_up(path, backup, overwrite=True)
    assert examine(backup).tasks == 2


@pytest.mark.parametrize("ending", ["", "-wal", "-shm", ".lock"])
def test_a_backup_is_never_written_over_the_journal_itself(path: Path, tmp_path: Path, ending: str) -> None:
    (tmp_path / "link").symlink_to(path.parent)
    for folder in (path.parent, tmp_path / "link"):
        with pytest.raises(JournalError, match="the journal itself"):
            back_up(path, folder / (path.name + ending), overwrite=True)
    assert live(path) == {1, 2}


def test_no_journal_no_backup(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="There is no journal"):
        back_up(tmp_path / "none", tmp_path / "copy", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_journal_gives_no_backup(path: Path, tmp_path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(30_000))
    with pytest.raises(JournalError, match=r"not sound|damaged"):
        back_up(path, tmp_path / "copy", overwrite=False)
    assert {file.name for file in tmp_path.iterdir()} == {"var"}


def test_a_backup_that_fails_half_way_leaves_the_old_one_and_no_rest(
    path: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(JournalError, match="No space left"):
        back_up(path, backup, overwrite=True)
    monkeypatch.undo()
    assert list(backup.parent.iterdir()) == [backup]
    assert examine(backup).tasks == 2


def test_what_a_killed_backup_left_is_removed_and_what_another_one_writes_is_not(path: Path, tmp_path: Path) -> None:
    left, busy = tmp_path / ".tfmodel-1.unfinished", tmp_path / ".tfmodel-2.unfinished"
    left.touch()
    with busy.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        back_up(path, tmp_path / "copy", overwrite=False)
        assert list(tmp_path.glob(UNFINISHED_PATTERN)) == [busy]


def test_a_restored_journal_is_the_backup_and_the_present_one_is_kept(path: Path, backup: Path) -> None:
    with SqliteJournal(path) as journal:
        add(journal, 3)
    contents, aside = restore(backup, path)
    assert contents.tasks == 2
    assert aside is not None
    assert live(aside) == {1, 2, 3}
    assert live(path) == {1, 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert examine(backup).tasks == 2


def test_the_write_ahead_log_of_the_old_journal_never_meets_the_new_one(path: Path, backup: Path) -> None:
    wal = path.with_name(path.name + "-wal")
    with SqliteJournal(path) as journal:
        add(journal, 3)
        copies = {file: file.read_bytes() for file in (path, wal)}
    for file, content in copies.items():  # as a killed broker leaves them
        file.write_bytes(content)
    _, aside = restore(backup, path)
    assert live(path) == {1, 2}
    assert aside is not None
    assert live(aside) == {1, 2, 3}, "what was set aside has kept its log"


def test_a_log_without_its_journal_is_no_danger_to_the_restored_one(path: Path, backup: Path) -> None:
    with SqliteJournal(path) as journal:
        add(journal, 3)
        left = path.with_name(path.name + "-wal").read_bytes()
    path.unlink()
    path.with_name(path.name + "-wal").write_bytes(left)
    assert restore(backup, path)[1] is None
    assert live(path) == {1, 2}


def test_nothing_is_restored_under_a_running_broker(path: Path, backup: Path) -> None:
    with SqliteJournal(path) as journal:
        with pytest.raises(JournalError, match="Another broker"):
            restore(backup, path)
        add(journal, 3)
    assert live(path) == {1, 2, 3}


def newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def foreign(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE songs (title TEXT)")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(os.urandom(9000)),
        lambda path: os.truncate(path, 5000),
        lambda path: os.truncate(path, 0),
        lambda path: path.unlink(),
        newer,
        foreign,
    ],
    ids=["random", "truncated", "empty", "missing", "newer", "foreign"],
)
def test_what_is_no_sound_backup_changes_nothing(path: Path, backup: Path, spoil: object) -> None:
    assert callable(spoil)
    spoil(backup)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(JournalError, match=r"monday #1"):
        restore(backup, path)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_refused_backup_is_not_answered_with_the_cures_of_a_lost_journal(path: Path, backup: Path) -> None:
    os.mkfifo(backup.with_name("pipe"))
    for name, spoil in (("monday #1", newer), ("monday #1", foreign), ("pipe", None)):
        if spoil is not None:
            spoil(backup)
        with pytest.raises(JournalError, match="Nothing was restored") as refused:
            restore(backup.with_name(name), path)
        assert "restore FILE" not in str(refused.value)
        assert "[broker] journal" not in str(refused.value)


@pytest.mark.door(18)
def test_a_device_or_a_pipe_gives_way_to_no_backup(path: Path, tmp_path: Path) -> None:
    """Root, with --force and /dev/null, would put a file in its place."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(JournalError, match="pipe"):
        back_up(path, tmp_path / "pipe", overwrite=True)
    assert (tmp_path / "pipe").is_fifo()


def test_the_journal_itself_is_no_backup_of_it(path: Path) -> None:
    with pytest.raises(JournalError, match="the journal itself"):
        restore(path, path)
    assert live(path) == {1, 2}
