"""Pages of lists of tasks: what a filter, a sort and a cursor promise, compared with a search through all tasks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from broker import task_lists
from broker.journal import JournalError
from broker.journal_store import JournalStore
from broker.list_cursor import Place, cursor_after, place_in
from broker.sqlite_journal.store import SqliteStore
from broker.task_lists import TaskLists, listed
from protocol import messages as m
from protocol import wire
from protocol.data_report import DataReport, Severity, finding
from protocol.errors import Failure, FailureClass
from protocol.queries import TaskPage, TasksWanted
from protocol.task import Task, TaskState, Trained
from protocol.task_filter import TaskFilter, TaskOrder
from tests.journals import JOURNALS, new_store, run_sql
from tests.listed_tasks import FILTERS, ORDERS, expected, make_task, meeting, pages
from tests.sample_tasks import hex_id, make_spec


@dataclass(repr=False)
class Many:
    """Tasks in a journal, and the lists of them."""

    tasks: list[Task]
    lists: TaskLists


@pytest.fixture(params=JOURNALS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> JournalStore:
    return new_store(request.param, tmp_path)


@pytest.fixture(scope="module", params=JOURNALS)
def many(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    chance = random.Random(5)
    tasks = [make_task(number, chance) for number in range(150)]
    store = new_store(request.param, tmp_path_factory.mktemp("many"))
    with store.open() as journal:
        journal.append([], tasks)
        with closing(store.open_view()) as view:
            yield Many(tasks, TaskLists(view))


@settings(max_examples=40, deadline=None)
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
    store: JournalStore, order: TaskOrder, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_lists, "FEW_TASKS", few)
    chance = random.Random(3)
    first = [make_task(number, chance) for number in range(30)]
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append([], first)
        shown: list[str] = []
        for number, page in enumerate(pages(TaskLists(view), TaskFilter(), order, 4)):
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


def test_a_page_fits_into_a_message_and_the_next_goes_on_there(store: JournalStore) -> None:
    metadata = {f"name{number}": "ß" * 500 for number in range(20)}
    tasks = [
        Task(make_spec(hex_id(number), metadata=metadata, project_dir="d" * 4096), submitted_at_s=float(number + 1))
        for number in range(200)
    ]
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append([], tasks)
        found = list(pages(TaskLists(view), TaskFilter(), "submittedAt", 200))
    assert [task for page in found for task in page.tasks] == tasks
    assert len(found) > 3
    assert all(len(wire.encode(page)[1]) < wire.MAX_PAYLOAD_BYTES for page in found)


def test_a_task_that_cannot_be_read_is_left_out_and_named_once(
    store: JournalStore, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(1)
    tasks = [replace(make_task(number, chance), submitted_at_s=float(number + 1)) for number in range(6)]
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append([], tasks)
        for text in ("{", "7"):
            run_sql(store, "UPDATE tasks SET task = %s WHERE task_id = %s", text, hex_id(int(text == "7") + 1))
        lists = TaskLists(view)
        for _ in range(2):
            found = list(pages(lists, TaskFilter(), "submittedAt", 2))
            assert [task.task_id for page in found for task in page.tasks] == [hex_id(n) for n in (0, 3, 4, 5)]
    assert caplog.text.count("action=journal.task_left_out") == 2


@pytest.mark.parametrize("few", [0, 500])
@pytest.mark.parametrize("column", ["submitted_at_s", "ended_at_s", "task_id"])
@pytest.mark.parametrize("damage", ["a text", b"\xff"])
def test_a_damaged_row_costs_its_own_task_alone(
    store: JournalStore, monkeypatch: pytest.MonkeyPatch, column: str, damage: str | bytes, few: int
) -> None:
    """SQLite keeps a value of any kind in any column. PostgreSQL refuses it."""
    monkeypatch.setattr(task_lists, "FEW_TASKS", few)
    tasks = [make_task(number, random.Random(1)) for number in range(6)]
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append([], tasks)
        if isinstance(store, SqliteStore):
            run_sql(store, f"UPDATE tasks SET {column} = %s WHERE task_id = %s", damage, hex_id(2))
        else:
            with pytest.raises(JournalError):
                run_sql(store, f"UPDATE tasks SET {column} = %s WHERE task_id = %s", damage, hex_id(2))
            return
        for order in ORDERS:
            found = [task.task_id for page in pages(TaskLists(view), TaskFilter(), order, 2) for task in page.tasks]
            assert sorted(found) == sorted(hex_id(n) for n in (0, 1, 3, 4, 5))


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
def test_a_search_finds_what_begins_with_it(store: JournalStore, search: str, found: set[str]) -> None:
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
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append([], tasks)
        (page,) = pages(TaskLists(view), TaskFilter(search=search), "submittedAt", 50)
    assert {task.spec.user_id for task in page.tasks} == found


def test_metadata_of_pruned_tasks_goes_with_them(store: JournalStore) -> None:
    spec = make_spec(hex_id(1), metadata={"order": "x"})
    with store.open() as journal, closing(store.open_view()) as view:
        journal.append([], [Task(spec, TaskState.DONE, submitted_at_s=1.0, ended_at_s=2.0)])
        page = TaskLists(view).page(TasksWanted(1, TaskFilter(metadata={"order": "x"})))
        assert isinstance(page, TaskPage)
        assert page.counts[TaskState.DONE] == 1
        assert journal.prune(3.0) == 1
        page = TaskLists(view).page(TasksWanted(1, TaskFilter(metadata={"order": "x"})))
        assert isinstance(page, TaskPage)
        assert page.counts[TaskState.DONE] == 0
