"""The order of the waiting: priority, then fair between users, then first come; and cheap however many wait."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from broker.queue import WaitingTasks
from protocol.task import Task
from tests.processor_time import least_processor_s
from tests.sample_tasks import make_spec

ANY = ("classification", "segmentation")


def add(waiting: WaitingTasks, task_id: str, user_id: str = "anna", attempt: int = 1, **more: object) -> None:
    waiting.add(Task(make_spec(task_id, user_id, **more), attempt=attempt))


def take(waiting: WaitingTasks, train_types: tuple[str, ...] = ANY, labels: dict[str, str] | None = None) -> str:
    task_id = waiting.first(train_types, labels or {})
    assert task_id is not None
    waiting.start(task_id)
    return task_id


def drain(waiting: WaitingTasks) -> list[str]:
    return [take(waiting) for _ in range(len(waiting))]


def test_first_come_first_served_for_one_user() -> None:
    waiting = WaitingTasks()
    for name in ("c", "a", "b"):
        add(waiting, name)
    assert drain(waiting) == ["c", "a", "b"]
    assert waiting.first(ANY, {}) is None


def test_higher_priority_goes_first_whoever_posts_it() -> None:
    waiting = WaitingTasks()
    add(waiting, "low", "anna", priority=-1)
    add(waiting, "usual", "bert")
    add(waiting, "urgent", "anna", priority=5)
    assert drain(waiting) == ["urgent", "usual", "low"]


def test_a_hundred_tasks_of_one_user_do_not_starve_anothers_one() -> None:
    waiting = WaitingTasks()
    for index in range(100):
        add(waiting, f"anna{index}", "anna")
    take(waiting)
    take(waiting)
    add(waiting, "bert0", "bert")
    assert "bert0" in [take(waiting), take(waiting)]


def test_users_take_turns() -> None:
    waiting = WaitingTasks()
    for user in ("a", "b", "c"):
        for index in range(3):
            add(waiting, f"{user}{index}", user)
    order = drain(waiting)
    for turn in range(3):
        assert sorted(order[3 * turn : 3 * turn + 3]) == [f"a{turn}", f"b{turn}", f"c{turn}"]


def test_a_user_who_was_away_has_saved_nothing_up() -> None:
    waiting = WaitingTasks()
    for index in range(50):
        add(waiting, f"anna{index}", "anna")
    for _ in range(30):
        take(waiting)
    for index in range(20):
        add(waiting, f"bert{index}", "bert")
    next_ten = [take(waiting) for _ in range(10)]
    assert 4 <= sum(name.startswith("anna") for name in next_ten) <= 6


def test_a_task_that_came_back_goes_before_its_users_others() -> None:
    waiting = WaitingTasks()
    add(waiting, "a1")
    assert take(waiting) == "a1"
    add(waiting, "a2")
    add(waiting, "b1", "bert")
    add(waiting, "a1", attempt=2)
    assert take(waiting) == "a1"


def test_a_worker_gets_only_what_it_can_train() -> None:
    waiting = WaitingTasks()
    add(waiting, "first")
    add(waiting, "second", train_type="segmentation")
    assert waiting.first(("segmentation",), {}) == "second"
    assert waiting.first(("detection",), {}) is None
    assert drain(waiting) == ["first", "second"]


def test_a_removed_task_is_never_handed_out() -> None:
    waiting = WaitingTasks()
    for name in ("a", "b", "c"):
        add(waiting, name)
    waiting.remove("a")
    waiting.remove("never there")
    assert "a" not in waiting
    assert drain(waiting) == ["b", "c"]


@given(posts=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=30))
def test_everything_that_waits_is_handed_out_once_in_order_of_priority(posts: list[tuple[str, int]]) -> None:
    waiting = WaitingTasks()
    for index, (user, priority) in enumerate(posts):
        add(waiting, str(index), user, priority=priority)
    order = drain(waiting)
    assert sorted(order, key=int) == [str(index) for index in range(len(posts))]
    priorities = [posts[int(task_id)][1] for task_id in order]
    assert priorities == sorted(priorities, reverse=True)
    for user in "abc":
        for level in range(3):
            own = [int(task_id) for task_id in order if posts[int(task_id)] == (user, level)]
            assert own == sorted(own), "one user's tasks of one priority keep their order"


def seconds_per_cycle(size: int) -> float:
    """100 times take one and add one, with `size` tasks waiting."""
    waiting = WaitingTasks()
    for index in range(size):
        add(waiting, f"t{index}", f"user{index % 50}")
    numbers = itertools.count()

    def take_and_add() -> None:
        for _ in range(100):
            task_id = take(waiting)
            add(waiting, f"n{next(numbers)}.{task_id}"[:30], "anna")

    return least_processor_s(take_and_add)


def test_the_cost_does_not_grow_with_the_number_of_waiting_tasks() -> None:
    # Two hundred times the tasks; a scan would cost about two hundred times as much, a heap about twice.
    assert seconds_per_cycle(20_000) < 20 * seconds_per_cycle(100)


def test_tasks_that_are_given_up_leave_nothing_behind() -> None:
    waiting = WaitingTasks(max_running_per_user=1)
    add(waiting, "stays", options={"needs": ["room=9"]})
    for number in range(20_000):
        add(waiting, f"t{number}", f"user{number}", options={"needs": ["room=9"]})
        waiting.remove(f"t{number}")
    assert sum(map(len, waiting._heaps.values())) < 3000
    assert len(waiting._last_time_of_user) < 3000
    assert take(waiting, labels={"room": "9"}) == "stays"


def test_kinds_of_tasks_that_are_given_up_leave_nothing_behind() -> None:
    waiting = WaitingTasks()
    add(waiting, "stays")
    for number in range(100):
        add(waiting, f"t{number}", options={"needs": [f"room={number}"]})
        waiting.remove(f"t{number}")
    assert len(waiting._heaps) == len(waiting.kinds) == waiting.kinds_of_user("anna") == 1
