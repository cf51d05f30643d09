"""The table of workers: who is free, who is silent for longest, and whose messages are whose."""

from __future__ import annotations

from broker.events import Now
from broker.workers import Worker, WorkerTable


def register(table: WorkerTable, name: str, train_types: tuple[str, ...] = ("classification",)) -> Worker:
    worker = table.holder(name, f"start-{name}")
    worker.train_types = train_types
    table.attach(worker, name.encode())
    return worker


def test_a_worker_is_free_from_ready_until_it_holds_a_task() -> None:
    table = WorkerTable()
    worker = register(table, "w1")
    assert table.free_count == 0
    table.set_ready(worker, True)
    assert table.first_free() == [worker]
    table.hold(worker, "t1")
    assert table.first_free() == []
    assert (table.free_count, table.warm_count) == (0, 1)


def test_a_worker_that_holds_a_task_is_not_free_whatever_it_says() -> None:
    table = WorkerTable()
    worker = register(table, "w1")
    table.hold(worker, "t1")
    table.set_ready(worker, True)
    assert table.free_count == 0


def test_the_longest_idle_worker_of_each_kind_comes_first() -> None:
    table = WorkerTable()
    first, second = register(table, "w1"), register(table, "w2")
    other = register(table, "w3", ("segmentation",))
    for worker in (second, first, other):
        table.set_ready(worker, True)
    assert table.first_free() == [second, other]


def test_the_worker_that_was_silent_for_longest_expires_first() -> None:
    table = WorkerTable()
    first, second = register(table, "w1"), register(table, "w2")
    table.heard(first, 1.0)
    table.heard(second, 2.0)
    assert table.oldest() is first
    table.heard(first, 3.0)
    assert table.oldest() is second


def test_a_worker_that_reconnects_is_known_by_its_new_address_only() -> None:
    table = WorkerTable()
    worker = register(table, "w1")
    table.attach(worker, b"new")
    assert table.by_peer(b"new") is worker
    assert table.by_peer(b"w1") is None


def test_a_removed_worker_leaves_nothing_behind() -> None:
    table = WorkerTable()
    worker = register(table, "w1")
    table.set_ready(worker, True)
    table.remove(worker)
    assert (len(table), table.free_count, table.warm_count) == (0, 0, 0)
    assert table.by_name("w1") is None
    assert table.by_peer(b"w1") is None
    assert table.oldest() is None


def test_removing_an_old_start_leaves_its_successor_of_that_name() -> None:
    table = WorkerTable()
    old = register(table, "w1")
    new = table.holder("w1", "second start")
    table.remove(old)
    assert table.by_name("w1") is new


def test_what_callers_see_of_a_worker() -> None:
    table = WorkerTable()
    worker = register(table, "w1")
    worker.host = "here"
    table.hold(worker, "t1")
    info = table.infos(Now(7.0, 1000.0))[0]
    assert (info.worker, info.host, info.ready, info.holds) == ("w1", "here", False, "t1")
