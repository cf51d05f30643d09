"""Pages of lists of tasks: what a filter, a sort and a cursor promise, compared with a search through all tasks."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from broker import task_lists
from broker.facts import Record, Submitted, evolve
from broker.journal_rows import fact_json
from broker.list_cursor import Place, cursor_after, place_in
from broker.past_events import PastEvents
from broker.sqlite_journal.file import MIGRATIONS
from broker.sqlite_journal.journal import SqliteJournal, task_row
from broker.sqlite_journal.view import SqliteView
from broker.task_lists import TaskLists, listed
from protocol import messages as m
from protocol import wire
from protocol.data_report import DataReport, Severity, finding
from protocol.errors import Failure, FailureClass
from protocol.queries import EventsWanted, TaskPage, TasksWanted
from protocol.task import ENDED_STATES, Task, TaskState, Trained
from protocol.task_filter import TaskFilter, TaskOrder
from tests.sample_tasks import hex_id, make_spec

ORDERS: tuple[TaskOrder, ...] = get_args(TaskOrder)
STATES = tuple(TaskState)
RETRIED = hex_id("retried")


@dataclass(repr=False)
class Many:
    """Tasks in a journal, and the lists of them."""

    tasks: list[Task]
    view: SqliteView
    lists: TaskLists


def make_task(number: int, chance: random.Random) -> Task:
    """A task with values that many others share, in a state of any kind."""
    state = chance.choice(STATES)
    spec = make_spec(
        hex_id(number),
        chance.choice(("anna", "ben", "u' OR 1=1 --")),
        project_id=chance.choice(("flowers", "cats")),
        train_type=chance.choice(("classification", "segmentation")),
        metadata={name: chance.choice("xy") for name in ("order", "shop", "size") if chance.random() < 0.6},
        retry_of=RETRIED if chance.random() < 0.3 else "",
    )
    submitted_at_s = 1000.0 + chance.randrange(8)
    ended_at_s = submitted_at_s + chance.randrange(1, 4) if state in ENDED_STATES else 0.0
    return Task(spec, state, submitted_at_s=submitted_at_s, ended_at_s=ended_at_s)


def expected(tasks: list[Task], wanted: TaskFilter, order: TaskOrder) -> list[Task]:
    def key(task: Task) -> tuple[float, float, str]:
        end = (task.ended_at_s or math.inf) if order.endswith("endedAt") else 0.0
        return end, task.submitted_at_s, task.task_id

    met = [task for task in meeting(tasks, wanted) if not wanted.states or task.state in wanted.states]
    return sorted(met, key=key, reverse=order.startswith("-"))


def meeting(tasks: list[Task], wanted: TaskFilter) -> list[Task]:
    """The tasks that meet all conditions but that of the state."""
    return [
        task
        for task in tasks
        if wanted.user_id in ("", task.spec.user_id)
        and wanted.project_id in ("", task.spec.project_id)
        and wanted.train_type in ("", task.spec.train_type)
        and wanted.retry_of in ("", task.spec.retry_of)
        and any(text.startswith(wanted.search) for text in (task.task_id, task.spec.user_id, task.spec.project_id))
        and wanted.metadata.items() <= task.spec.metadata.items()
        and (wanted.submitted_after_s is None or task.submitted_at_s > wanted.submitted_after_s)
        and (wanted.submitted_before_s is None or task.submitted_at_s < wanted.submitted_before_s)
    ]


def pages(lists: TaskLists, wanted: TaskFilter, order: TaskOrder, most: int) -> Iterator[TaskPage]:
    cursor = ""
    while True:
        page = lists.page(TasksWanted(7, wanted, order, cursor, most))
        assert isinstance(page, TaskPage), page
        assert wire.decode(wire.encode(page), m.BrokerToWeb) == page
        yield page
        cursor = page.next
        if not cursor:
            return


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    chance = random.Random(5)
    tasks = [make_task(number, chance) for number in range(150)]
    with SqliteJournal(tmp_path_factory.mktemp("many") / "j") as journal:
        journal.append([], tasks)
        with closing(SqliteView.of_file(journal.path)) as db:
            yield Many(tasks, db, TaskLists(db))


def maybe(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", "", *values])


FILTERS = st.builds(
    TaskFilter,
    user_id=maybe("anna", "ben", "u' OR 1=1 --", "nobody"),
    project_id=maybe("flowers", "none"),
    states=st.lists(st.sampled_from(STATES), max_size=3).map(tuple),
    train_type=maybe("segmentation"),
    submitted_after_s=st.sampled_from([None, None, 0.0, 1002.0]),
    submitted_before_s=st.sampled_from([None, None, 0.0, 1005.0]),
    metadata=st.dictionaries(st.sampled_from(["order", "shop", "size"]), st.sampled_from("xyz"), max_size=2),
    retry_of=maybe(RETRIED),
    search=maybe("a", "u'", "cats", "flow", hex_id(7), hex_id(7)[:2], "A", "%", "_nna"),
)


@settings(max_examples=60, deadline=None)
@given(wanted=FILTERS, order=st.sampled_from(ORDERS), most=st.integers(1, 200), few=st.sampled_from([0, 3, 20, 500]))
def test_the_pages_are_the_list(many: Many, wanted: TaskFilter, order: TaskOrder, most: int, few: int) -> None:
    tasks, lists = many.tasks, many.lists
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(task_lists, "FEW_TASKS", few)
        found = list(pages(lists, wanted, order, most))
    assert [task for page in found for task in page.tasks] == expected(tasks, wanted, order)
    assert all(len(page.tasks) == most for page in found[:-1])
    counts = {state: sum(task.state is state for task in meeting(tasks, wanted)) for state in TaskState}
    assert all(page.counts == counts for page in found)


def test_no_tasks_wanted_gives_the_counts_alone(many: Many) -> None:
    tasks, lists = many.tasks, many.lists
    page = lists.page(TasksWanted(7, TaskFilter(), most=0))
    assert isinstance(page, TaskPage)
    assert (page.tasks, page.next, sum(page.counts.values())) == ((), "", len(tasks))


@pytest.mark.parametrize("few", [0, 500])
@pytest.mark.parametrize("order", ORDERS)
def test_tasks_that_come_meanwhile_hide_none_and_show_none_twice(
    tmp_path: Path, order: TaskOrder, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_lists, "FEW_TASKS", few)
    chance = random.Random(3)
    first = [make_task(number, chance) for number in range(30)]
    with SqliteJournal(tmp_path / "j") as journal, closing(SqliteView.of_file(journal.path)) as db:
        journal.append([], first)
        shown: list[str] = []
        for number, page in enumerate(pages(TaskLists(db), TaskFilter(), order, 4)):
            shown += [task.task_id for task in page.tasks]
            journal.append([], [make_task(100 + number, chance)])
    assert len(shown) == len(set(shown))
    assert {task.task_id for task in first} <= set(shown)


def test_a_cursor_of_another_list_or_of_nobody_is_refused_in_words(many: Many) -> None:
    lists = many.lists
    wanted = TaskFilter(user_id="anna")
    page = lists.page(TasksWanted(1, wanted, most=1))
    assert isinstance(page, TaskPage)
    nan = page.next.split(".")
    nan[2] = "7ff8000000000000"
    cases: list[tuple[str, TaskFilter, TaskOrder, str]] = [
        (page.next, TaskFilter(user_id="ben"), "-submittedAt", "other filters"),
        (page.next, wanted, "submittedAt", "another sort"),
        ("x", wanted, "-submittedAt", "not one that this server gave"),
        (page.next[:-1], wanted, "-submittedAt", "not one that this server gave"),
        (".".join(nan), wanted, "-submittedAt", "damaged"),
    ]
    for cursor, filters, order, words in cases:
        refused = lists.page(TasksWanted(3, filters, order, cursor))
        assert isinstance(refused, m.Refused), cursor
        assert (refused.request_id, refused.code) == (3, "bad_fields")
        assert words in refused.error
        assert "first page" in refused.error


@given(st.floats(0.0, allow_nan=False), st.floats(0.0, 1e12))
def test_a_cursor_keeps_its_place(ended_at_s: float, submitted_at_s: float) -> None:
    place = Place(ended_at_s, submitted_at_s, hex_id())
    wanted = TaskFilter(metadata={"b": "1", "a": "2"})
    cursor = cursor_after(place, wanted, "endedAt")
    assert place_in(cursor, replace(wanted, metadata={"a": "2", "b": "1"}), "endedAt") == place


def test_a_list_goes_without_reports_traces_and_warnings_but_says_what_was_skipped() -> None:
    data = DataReport("class_folders", skipped=3, findings=(finding("x", Severity.INFO, "y"),))
    done = Task(make_spec(), TaskState.DONE, trained=Trained("/m", {"a": 1.0}, warnings=("w",), data=data))
    short = listed(done).trained
    assert short is not None
    assert (short.warnings, short.data, short.metrics) == ((), DataReport(skipped=3), {"a": 1.0})
    failure = Failure("no_images", FailureClass.DATA, "None.", "trace", data)
    assert listed(Task(make_spec(), TaskState.FAILED, failure=failure)).failure == replace(
        failure, trace="", data=DataReport(skipped=3)
    )


def test_a_page_fits_into_a_message_and_the_next_goes_on_there(tmp_path: Path) -> None:
    metadata = {f"name{number}": "ß" * 500 for number in range(20)}
    tasks = [
        Task(make_spec(hex_id(number), metadata=metadata, project_dir="d" * 4096), submitted_at_s=float(number + 1))
        for number in range(200)
    ]
    with SqliteJournal(tmp_path / "j") as journal, closing(SqliteView.of_file(journal.path)) as db:
        journal.append([], tasks)
        found = list(pages(TaskLists(db), TaskFilter(), "submittedAt", 200))
    assert [task for page in found for task in page.tasks] == tasks
    assert len(found) > 3
    assert all(len(wire.encode(page)[1]) < wire.MAX_PAYLOAD_BYTES for page in found)


def test_a_task_that_cannot_be_read_is_left_out_and_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(1)
    tasks = [replace(make_task(number, chance), submitted_at_s=float(number + 1)) for number in range(6)]
    with SqliteJournal(tmp_path / "j") as journal, closing(SqliteView.of_file(journal.path)) as db:
        journal.append([], tasks)
        for text in ("{", "7"):
            with closing(sqlite3.connect(journal.path)) as other, other:
                other.execute("UPDATE tasks SET task = ? WHERE task_id = ?", (text, hex_id(int(text == "7") + 1)))
        lists = TaskLists(db)
        for _ in range(2):
            found = list(pages(lists, TaskFilter(), "submittedAt", 2))
            assert [task.task_id for page in found for task in page.tasks] == [hex_id(n) for n in (0, 3, 4, 5)]
    assert caplog.text.count("action=journal.task_left_out") == 2


@pytest.mark.parametrize("few", [0, 500])
@pytest.mark.parametrize("column", ["submitted_at_s", "ended_at_s", "task_id"])
@pytest.mark.parametrize("damage", ["a text", b"\xff"])
def test_a_damaged_row_costs_its_own_task_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, damage: str | bytes, few: int
) -> None:
    """SQLite keeps a value of any kind in any column."""
    monkeypatch.setattr(task_lists, "FEW_TASKS", few)
    tasks = [make_task(number, random.Random(1)) for number in range(6)]
    with SqliteJournal(tmp_path / "j") as journal, closing(SqliteView.of_file(journal.path)) as db:
        journal.append([], tasks)
        with closing(sqlite3.connect(journal.path)) as other, other:
            other.execute(f"UPDATE tasks SET {column} = ? WHERE task_id = ?", (damage, hex_id(2)))
        for order in ORDERS:
            found = [task.task_id for page in pages(TaskLists(db), TaskFilter(), order, 2) for task in page.tasks]
            assert sorted(found) == sorted(hex_id(n) for n in (0, 1, 3, 4, 5))


@pytest.mark.parametrize("few", [0, 500])
def test_lists_are_read_from_indexes_that_have_all_they_need(
    many: Many, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search through the big records would take a second where there are many tasks."""
    monkeypatch.setattr(task_lists, "FEW_TASKS", few)
    lists = many.lists
    statements: list[str] = []
    many.view._db.set_trace_callback(statements.append)
    try:
        for wanted in (
            TaskFilter(),
            TaskFilter(user_id="anna", train_type="segmentation", submitted_after_s=1.0),
            TaskFilter(project_id="cats", submitted_before_s=2000.0),
            TaskFilter(metadata={"order": "x"}, user_id="anna", project_id="cats", train_type="segmentation"),
            TaskFilter(search="a"),
            TaskFilter(search="a", user_id="anna"),
            TaskFilter(search="a", metadata={"order": "x"}),
            TaskFilter(search="a", retry_of=RETRIED),
            TaskFilter(retry_of=RETRIED, user_id="anna", project_id="cats", train_type="segmentation"),
        ):
            if few == 0 and wanted.retry_of:
                continue  # No task has many retries, so the index by end does not know them.
            for order in ORDERS:
                lists.page(TasksWanted(1, wanted, order))
    finally:
        many.view._db.set_trace_callback(None)
    queries = {text for text in statements if " listed " in text}
    assert queries
    for text in queries:
        plan = [row[3] for row in many.view._db.execute(f"EXPLAIN QUERY PLAN {text}")]
        ways = ("COVERING INDEX", "PRIMARY KEY (task_id=?)")
        assert all(any(way in step for way in ways) for step in plan if "listed" in step), (text, plan)
        assert not any("TEMP B-TREE" in step for step in plan), (text, plan)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("flo", {"flower", "flo\U0010ffff", "flo\0"}),
        ("flo\U0010ffff", {"flo\U0010ffff"}),
        ("\U0010ffff", {"\U0010ffffx", "\U0010ffff\U0010ffff"}),
        ("\ud7ff", {"\ud7ff!"}),
        ("%", {"%"}),
        ("Flo", {"Flower"}),
        ("z", set()),
    ],
)
def test_a_search_finds_what_begins_with_it_whatever_its_letters(tmp_path: Path, search: str, found: set[str]) -> None:
    names = (
        "flower",
        "Flower",
        "flo\U0010ffff",
        "flo\0",
        "\U0010ffffx",
        "\U0010ffff\U0010ffff",
        "\ud7ff!",
        "\ue000",
        "%",
    )
    tasks = [Task(make_spec(hex_id(number), name, project_id="p")) for number, name in enumerate(names)]
    with SqliteJournal(tmp_path / "j") as journal, closing(SqliteView.of_file(journal.path)) as db:
        journal.append([], tasks)
        (page,) = pages(TaskLists(db), TaskFilter(search=search), "submittedAt", 50)
    assert {task.spec.user_id for task in page.tasks} == found


def test_metadata_of_pruned_tasks_goes_with_them(tmp_path: Path) -> None:
    spec = make_spec(hex_id(1), metadata={"order": "x"})
    with SqliteJournal(tmp_path / "j") as journal, closing(SqliteView.of_file(journal.path)) as db:
        journal.append([], [Task(spec, TaskState.DONE, submitted_at_s=1.0, ended_at_s=2.0)])
        page = TaskLists(db).page(TasksWanted(1, TaskFilter(metadata={"order": "x"})))
        assert isinstance(page, TaskPage)
        assert page.counts[TaskState.DONE] == 1
        assert journal.prune(3.0) == 1
        assert db._db.execute("SELECT count(*) FROM task_metadata").fetchone() == (0,)


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
    with SqliteJournal(path), closing(SqliteView.of_file(path)) as db:
        lists = TaskLists(db)
        for wanted in (
            TaskFilter(train_type="classification"),
            TaskFilter(project_id="flowers"),
            TaskFilter(search="anna"),
            TaskFilter(metadata={"order": "1"}),
            TaskFilter(retry_of=RETRIED),
        ):
            (page,) = pages(lists, wanted, "submittedAt", 50)
            assert list(page.tasks) == expected(tasks, wanted, "submittedAt")
        assert PastEvents(db).part(EventsWanted(1, 0)).kept_after == kept_after
