"""A flipped bit in the journal is found: in rows, in the write-ahead log, in indexes and in SQLite's counter."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from broker.facts import Record, Submitted, evolve
from broker.journal import BrokenJournalError
from broker.journal_rows import fact_json, record_of, task_json, task_of
from broker.scrub import Scrub
from broker.sqlite_journal.journal import SqliteJournal
from broker.sqlite_journal.store import SqliteStore
from tests.sample_tasks import hex_id, make_spec
from tests.waiting import wait_until

RECORD = Record(7, 1000.5, hex_id(1), Submitted(make_spec(hex_id(1), metadata={"order": "1"})))
TASK = evolve(None, RECORD)
COMMITS = 5


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_row_that_is_as_it_was_written_is_read() -> None:
    assert record_of((7, 1000.5, hex_id(1), fact_json(RECORD))) == RECORD
    assert task_of((hex_id(1), task_json(TASK))) == TASK


def test_no_flipped_bit_of_a_row_is_taken_for_what_was_written() -> None:
    text = fact_json(RECORD).encode()
    for bit in range(0, 8 * len(text), 3):
        with pytest.raises(msgspec.DecodeError):
            record_of((7, 1000.5, hex_id(1), flipped(text, bit)))
    for row in ((6, 1000.5, hex_id(1), text), (7, 1000.25, hex_id(1), text), (7, 1000.5, hex_id(2), text)):
        with pytest.raises(msgspec.DecodeError):
            record_of(row)
    text = task_json(TASK).encode()
    for bit in range(0, 8 * len(text), 3):
        with pytest.raises(msgspec.DecodeError):
            task_of((hex_id(1), flipped(text, bit)))
    with pytest.raises(msgspec.DecodeError):
        task_of((hex_id(2), text))


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A journal whose broker was killed: all commits but the first are in the write-ahead log."""
    path, killed = tmp_path / "journal.sqlite3", tmp_path / "killed.sqlite3"
    with SqliteJournal(path) as journal:
        for seq in range(1, COMMITS + 1):
            record = Record(seq, 1000.0, hex_id(seq), Submitted(make_spec(hex_id(seq))))
            journal.append([record], [evolve(None, record)])
        for ending in ("", "-wal"):
            killed.with_name(killed.name + ending).write_bytes(path.with_name(path.name + ending).read_bytes())
    return killed


def tasks_in(path: Path) -> int:
    with SqliteJournal(path) as journal:
        return len(journal.live_records())


def test_a_flipped_bit_in_the_log_loses_no_acknowledged_task_in_silence(
    killed: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = killed.with_name(killed.name + "-wal")
    whole, main = log.read_bytes(), killed.read_bytes()
    said = 0
    for bit in range(0, 8 * len(whole), 8 * 1501 + 3):
        killed.write_bytes(main)
        log.write_bytes(flipped(whole, bit))
        killed.with_name(killed.name + "-shm").unlink(missing_ok=True)
        caplog.clear()
        try:
            tasks = tasks_in(killed)
        except BrokenJournalError:
            said += 1
        else:
            assert tasks == COMMITS or "action=journal.tail_dropped" in caplog.text
    assert said > 0


def test_a_transaction_that_a_power_cut_has_torn_is_dropped(killed: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = killed.with_name(killed.name + "-wal")
    content = log.read_bytes()
    log.write_bytes(content[:-2000] + bytes(2000))
    assert tasks_in(killed) == COMMITS - 1
    assert "action=journal.tail_dropped" in caplog.text


def test_an_index_that_differs_from_its_table_is_found(killed: Path) -> None:
    assert tasks_in(killed) == COMMITS
    content = killed.read_bytes()
    before = content.count(b"pending")
    changed = content.replace(b"pending" + hex_id(1).encode(), b"pendinf" + hex_id(1).encode())
    if changed == content:  # the columns stand in another order in this index
        at = content.rindex(b"pending")
        changed = content[:at] + b"pendinf" + content[at + 7 :]
    assert changed.count(b"pending") == before - 1
    killed.write_bytes(changed)
    with pytest.raises(BrokenJournalError, match="Restore a backup"):
        SqliteStore(killed).check()


def wait_for_end(scrub: Scrub, is_ended: Callable[[], bool]) -> None:
    scrub.start()
    try:
        wait_until(is_ended, "the end of the scrub")
    finally:
        scrub.close()


def test_what_nobody_reads_is_read_by_the_scrub(killed: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert tasks_in(killed) == COMMITS
    with closing(sqlite3.connect(killed)) as db:
        db.execute("UPDATE facts SET fact = replace(fact, 'flowers', 'glowers') WHERE seq = 2")
        db.execute("UPDATE tasks SET task = replace(task, 'flowers', 'glowers') WHERE task_id = ?", (hex_id(3),))
        db.commit()
    scrub = Scrub(SqliteStore(killed).open_view)
    wait_for_end(scrub, lambda: f"action=journal.scrubbed facts={COMMITS} damaged=2" in caplog.text)
    assert f"action=journal.row_damaged task='{hex_id(2)}' seq=2" in caplog.text
    assert f"action=journal.row_damaged task='{hex_id(3)}'" in caplog.text
    scrub.refuse_broken()


def test_numbers_are_not_given_twice_if_the_counter_is_damaged(killed: Path) -> None:
    with SqliteJournal(killed):
        pass
    with closing(sqlite3.connect(killed)) as db:
        db.execute("UPDATE sqlite_sequence SET seq = 1 WHERE name = 'facts'")
        db.commit()
    with SqliteJournal(killed) as journal:
        assert journal.last_seq() == COMMITS


def test_without_a_power_cut_the_last_transaction_is_not_dropped_either(killed: Path, tmp_path: Path) -> None:
    """The machine has run all the time, so only a flipped bit can have changed it."""
    killed.with_name(killed.name + ".lock").write_bytes((tmp_path / "journal.sqlite3.lock").read_bytes())
    log = killed.with_name(killed.name + "-wal")
    log.write_bytes(flipped(log.read_bytes(), 8 * (log.stat().st_size - 100)))
    with pytest.raises(BrokenJournalError, match="1 transactions would be lost"):
        SqliteJournal(killed)


def test_an_id_that_is_no_text_any_more_costs_its_own_task_only(killed: Path) -> None:
    """The driver would refuse the whole answer, and the broker would be started again and again."""
    with SqliteJournal(killed):
        pass
    bad_id = "task_id = CAST(x'ff' || substr(task_id, 2) AS TEXT)"
    with closing(sqlite3.connect(killed)) as db:
        db.execute(f"UPDATE facts SET {bad_id} WHERE task_id = ?", (hex_id(2),))
        db.execute(f"UPDATE tasks SET {bad_id} WHERE task_id = ?", (hex_id(2),))
        db.commit()
    assert tasks_in(killed) == COMMITS - 1
