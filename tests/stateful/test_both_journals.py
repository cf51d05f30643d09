"""Two journals, one of each kind, are given the same facts, and must answer every question alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from broker.facts import NEXT_STATES, Fact, Submitted
from broker.journal import Journal
from broker.journal_view import JournalView
from broker.past_events import PastEvents
from broker.task_lists import TaskLists
from protocol.queries import EventsWanted, InUseWanted, TaskPage, TasksWanted
from protocol.task_filter import TaskFilter
from tests.journal_histories import History
from tests.journals import JOURNALS, temporary_store
from tests.listed_tasks import ORDERS
from tests.postgres_server import server_or_skip
from tests.sample_tasks import hex_id, make_spec

TASKS = 12
LONG = "".join(chr(0x100 + number % 50_000) for number in range(4000))
#: Texts that two databases might compare, keep or refuse differently.
SHORT = ("a", "A", "ä", "a\0", "a\0b", "", " ", "a ", "\x7f", "\ud7ff", "\ue000", "\U0010ffff", "%", "_", "'", "\\000")
LONG_TEXTS = {
    "199": "a" * 199,
    "200": "a" * 200,
    "300": "a" * 300,
    "long": LONG,
    "longer": LONG + "a",
    "less": LONG[:-1],
}


def long_text(name: str) -> str:
    return LONG_TEXTS[name]


TEXTS = st.sampled_from(SHORT) | st.sampled_from(sorted(LONG_TEXTS)).map(long_text)
VALUES = st.sampled_from(["x", "y", "", "ß" * 500, "ß" * 499, "é", "e\u0301"])


@dataclass(frozen=True)
class Step:
    """What may happen to a task. kinds: the first of these facts that can follow."""

    number: int
    user: str
    project: str
    key: str
    metadata: dict[str, str]
    retry_of: str
    kinds: list[type[Fact]]


STEPS = st.lists(
    st.builds(
        Step,
        number=st.integers(0, TASKS - 1),
        user=TEXTS,
        project=TEXTS,
        key=st.sampled_from(["", "k", "\0"]),
        metadata=st.dictionaries(st.sampled_from(["order", "shop"]), VALUES),
        retry_of=st.sampled_from(["", hex_id(0)]),
        kinds=st.permutations(sorted({kind for _, kind in NEXT_STATES}, key=str)),
    ),
    min_size=4,
    max_size=25,
)


class BothJournals(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.pruned: set[str] = set()
        self.written = 0
        self.stack = ExitStack()

    @initialize(steps=STEPS)
    def open(self, steps: list[Step]) -> None:
        self.stores = [self.stack.enter_context(temporary_store(kind)) for kind in JOURNALS]
        self.journals: list[Journal] = []
        self.views: list[JournalView] = []
        self.reopen()
        self.go_on(steps)

    @rule()
    def reopen(self) -> None:
        self.close()
        self.journals = [store.open() for store in self.stores]
        self.views = [journal.open_view() for journal in self.journals]

    @rule(steps=STEPS)
    def go_on(self, steps: list[Step]) -> None:
        """Each step submits a task, or adds what may follow for one that was submitted."""
        for step in steps:
            task_id = hex_id(step.number)
            if task_id not in self.history.tasks:
                spec = make_spec(
                    task_id,
                    step.user,
                    project_id=step.project,
                    request_key=step.key,
                    metadata=step.metadata,
                    retry_of=step.retry_of,
                )
                self.history.add(task_id, Submitted(spec))
            elif task_id not in self.pruned:
                self.history.add_any(task_id, step.kinds)

    @rule(ended_before=st.integers(0, 60))
    def prune(self, ended_before: int) -> None:
        self.commit()
        before = 1000.0 + ended_before / 8
        for journal in self.journals:
            journal.prune(before)
        self.pruned |= {i for i, task in self.history.tasks.items() if 0 < task.ended_at_s < before}

    def commit(self) -> None:
        records = self.history.records[self.written :]
        tasks = {record.task_id: self.history.tasks[record.task_id] for record in records}
        for journal in self.journals:
            journal.append(records, tasks.values())
        self.written = len(self.history.records)

    @invariant()
    def they_answer_alike(self) -> None:
        self.commit()
        assert self.of_each(lambda journal: journal.recovered(3, 1000.2))
        assert self.of_each(lambda journal: [journal.task(hex_id(number)) for number in range(3)])
        assert self.of_each(lambda journal: read_facts(journal.view))
        assert self.of_each(lambda journal: PastEvents(journal.view).part(EventsWanted(1, 2, "", 20)))

    @rule(user=TEXTS, project=TEXTS, search=TEXTS, value=VALUES, order=st.sampled_from(ORDERS), most=st.integers(1, 4))
    def list_tasks(self, user: str, project: str, search: str, value: str, **paging: Any) -> None:
        for wanted in (
            TaskFilter(),
            TaskFilter(user_id=user),
            TaskFilter(project_id=project),
            TaskFilter(search=search),
            TaskFilter(search=search[:-1]),
            TaskFilter(search=hex_id(0)[:2], user_id=user),
            TaskFilter(metadata={"order": value}),
            TaskFilter(metadata={"order": value, "shop": value}, project_id=project),
            TaskFilter(retry_of=hex_id(0)),
        ):
            first, second = (read_pages(view, wanted, **paging) for view in self.views)
            assert first == second
        assert self.of_each(lambda journal: TaskLists(journal.view).in_use(InUseWanted(1, user, project, 3)))

    def of_each(self, ask: Callable[[Journal], object]) -> bool:
        """Whether both give the same answer."""
        first, second = (ask(journal) for journal in self.journals)
        assert first == second
        return True

    def close(self) -> None:
        for view in self.views:
            view.close()
        for journal in self.journals:
            journal.close()

    def teardown(self) -> None:
        self.close()
        self.stack.close()


def read_facts(view: JournalView) -> list[object]:
    def text(rows: Any) -> list[object]:
        return [(*row[:3], row[3].decode() if isinstance(row[3], bytes) else row[3]) for row in rows]

    task_id = hex_id(1)
    parts = (
        view.facts_after(3, 5),
        view.facts_of(task_id),
        view.facts_of(task_id, 2, 2),
        view.facts_before(task_id, 9),
    )
    return [view.newest_seq(), view.pruned_up_to(), view.newest_at_s(), *map(text, parts)]


def read_pages(view: JournalView, wanted: TaskFilter, order: Any, most: int) -> list[TaskPage]:
    found, cursor = [], ""
    lists = TaskLists(view)
    while True:
        page = lists.page(TasksWanted(7, wanted, order, cursor, most))
        assert isinstance(page, TaskPage), page
        found.append(page)
        cursor = page.next
        if not cursor:
            return found


@pytest.mark.parametrize("few", [1, 500])
def test_both_kinds_of_journals_answer_alike(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    server_or_skip()
    monkeypatch.setattr("broker.task_lists.FEW_TASKS", few)
    BothJournals.TestCase.settings = settings(max_examples=10, stateful_step_count=8, deadline=None)
    BothJournals.TestCase().runTest()
