"""The store of webhooks: what is due, in which order, and what happens to the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from web.webhooks import store as module
from web.webhooks.delivery import NewDelivery, Times
from web.webhooks.retries import Outcome
from web.webhooks.store import Store

TIMES = Times(100.0, 1000.0)
FINE, FAILED = Outcome(204), Outcome(500, "The receiver answered 500.")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "webhooks.sqlite3")
    opened.open_destinations(["website"], ["website"], 0, 100.0)
    yield opened
    opened.close()


def new(event_id: int, task: str = "a", destination: str = "website") -> NewDelivery:
    return NewDelivery(
        f"evt_{event_id}_{destination}", destination, destination, "", task * 32, event_id, "task.done", b"{}"
    )


def due(store: Store, now_s: float, most: int = 10) -> list[int]:
    return [each.event_id for each in store.look({"website": most}, now_s).due]


def test_of_each_task_only_the_first_event_is_due(store: Store) -> None:
    store.hand_over(["website"], [new(1), new(2), new(3, "b"), new(4)], 4, TIMES)
    assert due(store, 100.0) == [1, 3]
    first = store.look({"website": 1}, 100.0).due[0]
    store.note(first, FINE, 101.0, None)
    assert due(store, 101.0) == [3, 2]


def test_an_event_that_comes_while_one_is_on_its_way_waits_for_it(store: Store) -> None:
    store.hand_over(["website"], [new(1)], 1, TIMES)
    first = store.look({"website": 1}, 100.0).due[0]
    store.hand_over(["website"], [new(2)], 2, TIMES)
    store.note(first, FAILED, 101.0, 150.0)
    assert due(store, 149.0) == []
    assert store.look({"website": 1}, 149.0).next_due_at_s == 150.0
    assert due(store, 150.0) == [1]


def test_a_dead_letter_makes_room_for_the_next_and_may_come_back(store: Store) -> None:
    store.hand_over(["website"], [new(1), new(2), new(3)], 3, TIMES)
    first = store.look({"website": 1}, 100.0).due[0]
    store.note(first, FAILED, 101.0, None)
    assert due(store, 101.0) == [2]
    (dead,) = store.dead(0, 10)
    assert (dead.event_id, dead.status, dead.attempts, dead.dead_at_s) == (1, 500, 1, 101.0)
    store.resend(dead.number, Times(200.0, 900.0))
    assert due(store, 200.0) == [2, 1]
    # Both are on their way. Whichever ends first, the third event waits for both.
    again, second = sorted(store.look({"website": 9}, 200.0).due, key=lambda each: each.number)
    store.note(second, FINE, 201.0, None)
    assert due(store, 201.0) == [1]
    store.note(again, FINE, 202.0, None)
    assert due(store, 202.0) == [3]


def test_handing_over_twice_makes_no_second_delivery(store: Store) -> None:
    for _ in range(2):
        store.hand_over(["website"], [new(1)], 1, TIMES)
    assert due(store, 100.0) == [1]
    assert store.counts()["website"].waiting == 1


def test_what_was_noted_is_there_after_the_process_was_killed(tmp_path: Path) -> None:
    first = Store(tmp_path / "webhooks.sqlite3")
    first.open_destinations(["website"], ["website"], 7, 100.0)
    first.hand_over(["website"], [new(8)], 8, TIMES)
    second = Store(tmp_path / "webhooks.sqlite3")  # the first was not closed
    assert [record.handed_over for record in second.records()] == [8]
    assert due(second, 100.0) == [8]
    second.open_destinations(["website"], ["website"], 9, 101.0)
    assert [record.handed_over for record in second.records()] == [8]


def test_attempts_and_dead_letters_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_ATTEMPTS", 5)
    monkeypatch.setattr(module, "KEPT_DEAD", 3)
    store.hand_over(["website"], [new(number, "abcdef"[number % 6]) for number in range(60)], 60, TIMES)
    while delivery := next(iter(store.look({"website": 1}, 200.0).due), None):
        store.note(delivery, FAILED, 150.0, None)
    assert len(store.attempts(100)) == 5
    assert store.drop_oldest_dead() == 57
    assert [each.event_id for each in store.dead(0, 10)] == [59, 58, 57]
    assert [each.event_id for each in store.dead(store.dead(0, 1)[0].number, 10)] == [58, 57]


def test_a_destination_that_was_away_for_long_is_new_when_it_comes_back(store: Store) -> None:
    store.open_destinations(["other"], ["other"], 5, 100.0 + module.FORGET_AFTER_S / 2)
    store.open_destinations(["website", "other"], ["website", "other"], 9, 101.0 + module.FORGET_AFTER_S / 2)
    assert [record.handed_over for record in store.records()] == [5, 0]
    later_s = 200.0 + 2 * module.FORGET_AFTER_S
    store.open_destinations(["other"], ["other"], 20, later_s)
    store.open_destinations(["website", "other"], ["website", "other"], 30, later_s)
    assert {record.destination: record.handed_over for record in store.records()} == {"other": 5, "website": 30}


def test_the_file_is_private_and_a_newer_one_is_refused(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "webhooks.sqlite3"
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.DatabaseError, match="newer release"):
        Store(file)
