"""Lists out of an SQLite file: read from indexes alone, also in a file of an earlier release."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker import task_lists
from broker.facts import Record, Submitted, evolve
from broker.journal_rows import fact_json
from broker.past_events import PastEvents
from broker.sqlite_journal.file import MIGRATIONS
from broker.sqlite_journal.journal import SqliteJournal, task_row
from broker.sqlite_journal.view import SqliteView
from broker.task_lists import TaskLists
from protocol.queries import EventsWanted, TasksWanted
from protocol.task_filter import TaskFilter
from tests.listed_tasks import ANY_FILTERS, ORDERS, RETRIED, expected, make_task, pages
from tests.sample_tasks import hex_id, make_spec


@pytest.mark.parametrize("few", [0, 500])
def test_lists_are_read_from_indexes_that_have_all_they_need(
    tmp_path: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search through the big records would take a second where there are many tasks."""
    monkeypatch.setattr(task_lists, "FEW_TASKS", few)
    chance = random.Random(5)
    statements: list[str] = []
    with SqliteJournal(tmp_path / "j") as journal:
        journal.append([], [make_task(number, chance) for number in range(150)])
        db, lists = journal._db, TaskLists(journal.view)
        db.set_trace_callback(statements.append)
        for wanted in ANY_FILTERS:
            if few == 0 and wanted.retry_of:
                continue  # No task has many retries, so the index by end does not know them.
            for order in ORDERS:
                lists.page(TasksWanted(1, wanted, order))
        db.set_trace_callback(None)
        queries = {text for text in statements if " listed " in text}
        assert queries
        for text in queries:
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}")]
            ways = ("COVERING INDEX", "PRIMARY KEY (task_id=?)")
            assert all(any(way in step for way in ways) for step in plan if "listed" in step), (text, plan)
            assert not any("TEMP B-TREE" in step for step in plan), (text, plan)


@pytest.mark.parametrize(("pruned", "kept_after"), [((), 0), ((2, 3), 3), ((9, 10), 10), ((1, 2, 4), 4)])
def test_a_journal_of_the_first_version_gets_what_lists_need(
    tmp_path: Path, pruned: tuple[int, ...], kept_after: int
) -> None:
    path = tmp_path / "j"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"{MIGRATIONS[0]} PRAGMA user_version = 1;")
        tasks = []
        for seq in range(1, 11):
            spec = make_spec(hex_id(seq), metadata={"order": str(seq % 2)}, retry_of=RETRIED if seq == 5 else "")
            record = Record(seq, float(seq), spec.task_id, Submitted(spec))
            task = evolve(None, record)
            db.execute("INSERT INTO facts VALUES (?, ?, ?, ?)", (seq, record.at_s, spec.task_id, fact_json(record)))
            db.execute("INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", task_row(task)[:8])
            tasks.append(task)
        db.execute("INSERT INTO tasks VALUES ('bad', 'anna', 'p', 'done', '', 1.0, 2.0, x'ff00')")
        db.execute("INSERT INTO tasks VALUES ('worse', 'anna', 'p', 'done', '', 1.0, 2.0, '{')")
        db.executemany("DELETE FROM facts WHERE seq = ?", [(seq,) for seq in pruned])
    with SqliteJournal(path), closing(SqliteView.of_file(path)) as view:
        lists = TaskLists(view)
        for wanted in (
            TaskFilter(train_type="classification"),
            TaskFilter(project_id="flowers"),
            TaskFilter(search="anna"),
            TaskFilter(metadata={"order": "1"}),
            TaskFilter(retry_of=RETRIED),
        ):
            (page,) = pages(lists, wanted, "submittedAt", 50)
            assert list(page.tasks) == expected(tasks, wanted, "submittedAt")
        assert PastEvents(view).part(EventsWanted(1, 0)).kept_after == kept_after
