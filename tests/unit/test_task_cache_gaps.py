"""The front-end's cache under lost publications and lost or late snapshots."""

from __future__ import annotations

from protocol.messages import SnapshotPart, TaskChanged, Tick
from protocol.task import Task, TaskSpec, TaskState
from tests.sample_tasks import make_event
from web.broker_link.task_cache import TaskCache


def task(task_id: str, state: TaskState = TaskState.PENDING) -> Task:
    return Task(TaskSpec(task_id, "user", "project", "dir", "/dir", "classification"), state)


def snapshot(seq: int, *tasks: Task) -> SnapshotPart:
    return SnapshotPart(1, seq, tasks, (), first=True, last=True)


def change(seq: int, task: Task) -> TaskChanged:
    return TaskChanged(seq, task, make_event(seq, task))


def state_of(cache: TaskCache, task_id: str) -> TaskState | None:
    entry = cache.get(task_id)
    return entry.task.state if entry else None


def synced_cache() -> TaskCache:
    """As of fact 10, with task "a" being trained."""
    cache = TaskCache(capacity=100)
    cache.apply_snapshot(snapshot(10, task("a", TaskState.PROCESSING)))
    assert not cache.behind
    return cache


def test_a_gap_is_remembered_until_a_snapshot_fills_it() -> None:
    cache = synced_cache()
    assert cache.apply_change(change(12, task("b")))  # 11, the end of "a", was lost, and so may be the request
    assert cache.apply_tick(Tick(12, 0, 0, 0, 1))
    assert cache.apply_change(change(13, task("c")))
    cache.apply_snapshot(snapshot(13, task("a", TaskState.DONE), task("b"), task("c")))
    assert state_of(cache, "a") is TaskState.DONE
    assert not cache.apply_tick(Tick(13, 0, 0, 0, 2))


def test_a_snapshot_made_before_the_gap_does_not_count() -> None:
    cache = synced_cache()
    assert cache.apply_change(change(12, task("b")))
    cache.apply_snapshot(snapshot(10, task("a", TaskState.PROCESSING)))
    assert cache.apply_tick(Tick(12, 0, 0, 0, 1))
    cache.apply_snapshot(snapshot(12, task("a", TaskState.DONE), task("b")))
    assert not cache.behind
    assert state_of(cache, "a") is TaskState.DONE


def test_publications_that_overtake_a_snapshot_are_no_gap() -> None:
    cache = synced_cache()
    for seq in (11, 12, 13):
        assert not cache.apply_change(change(seq, task(f"t{seq}")))
    cache.apply_snapshot(snapshot(11, task("a", TaskState.PROCESSING), task("t11")))
    assert not cache.apply_change(change(14, task("t14")))
    assert state_of(cache, "t13") is TaskState.PENDING


def test_another_journal_clears_the_gap_with_everything_else() -> None:
    cache = synced_cache()
    cache.apply_change(change(12, task("b")))
    for _ in range(3):
        assert cache.apply_tick(Tick(2, 0, 0, 0, 0))
    cache.apply_snapshot(snapshot(2, task("new")))
    assert not cache.behind
    assert len(cache) == 1
