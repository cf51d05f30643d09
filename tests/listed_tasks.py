"""Tasks for lists, what a list of them should show, and filters of all kinds."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import get_args

from hypothesis import strategies as st

from broker.task_lists import TaskLists
from protocol import messages as m
from protocol import wire
from protocol.queries import TaskPage, TasksWanted
from protocol.task import ENDED_STATES, Task, TaskState
from protocol.task_filter import TaskFilter, TaskOrder
from tests.sample_tasks import hex_id, make_spec

ORDERS: tuple[TaskOrder, ...] = get_args(TaskOrder)
STATES = tuple(TaskState)
RETRIED = hex_id("retried")


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

#: One for each index that a list can be read from.
ANY_FILTERS = (
    TaskFilter(),
    TaskFilter(user_id="anna", train_type="segmentation", submitted_after_s=1.0),
    TaskFilter(project_id="cats", submitted_before_s=2000.0),
    TaskFilter(metadata={"order": "x"}, user_id="anna", project_id="cats", train_type="segmentation"),
    TaskFilter(search="a"),
    TaskFilter(search="a", user_id="anna"),
    TaskFilter(search="a", metadata={"order": "x"}),
    TaskFilter(search="a", retry_of=RETRIED),
    TaskFilter(retry_of=RETRIED, user_id="anna", project_id="cats", train_type="segmentation"),
)
