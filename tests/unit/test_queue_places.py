"""The places of waiting tasks are those in which they start."""

from __future__ import annotations

from broker.answers import queue_part
from broker.queue import WaitingTasks
from protocol.queries import QueueWanted
from protocol.task import Task
from tests.sample_tasks import hex_id, make_spec


def queue_of(*users: str, priorities: dict[int, int] | None = None) -> WaitingTasks:
    """The task number n, from 0 on, belongs to the n-th user."""
    waiting = WaitingTasks()
    for number, user in enumerate(users):
        waiting.add(Task(make_spec(hex_id(number), user, priority=(priorities or {}).get(number, 0))))
    return waiting


def started(waiting: WaitingTasks) -> list[str]:
    """The order in which a worker really gets them."""
    order = []
    while (task_id := waiting.first(["classification"], {})) is not None:
        order.append(task_id)
        waiting.start(task_id)
    return order


def test_tasks_start_in_the_order_of_their_places() -> None:
    users = ("anna", "anna", "anna", "ben", "anna", "carl", "ben")
    waiting = queue_of(*users, priorities={4: 5, 6: -1})
    places = waiting.places("", 0, 100)
    assert [place for place, _ in places] == list(range(1, len(users) + 1))
    assert [task_id for _, task_id in places] == started(waiting)


def test_places_follow_what_starts_and_what_is_added() -> None:
    waiting = queue_of("anna", "anna", "ben")
    before = [task_id for _, task_id in waiting.places("", 0, 10)]
    waiting.start(before[0])
    waiting.add(Task(make_spec(hex_id(9), "carl", priority=9)))
    after = [task_id for _, task_id in waiting.places("", 0, 10)]
    assert after == [hex_id(9), *before[1:]]
    assert after == started(waiting)


def test_a_user_sees_true_places_page_by_page() -> None:
    waiting = queue_of("anna", "ben", "anna", "ben", "anna", "ben")
    whole = {task_id: place for place, task_id in waiting.places("", 0, 100)}
    first = queue_part(QueueWanted(1, "ben", 0, 2), waiting)
    second = queue_part(QueueWanted(2, "ben", first.next, 2), waiting)
    seen = [*first.places, *second.places]
    assert {place.task_id for place in seen} == {hex_id(number) for number in (1, 3, 5)}
    assert all(whole[place.task_id] == place.position for place in seen)
    assert (first.waiting, second.next) == (6, 0)
