"""The front-end's picture of the tasks: right again after every loss, never going back."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import FromWeb, FromWorker, Now, Publish, SendWeb
from protocol import messages as m
from protocol.task import Task, TaskState, Trained
from tests.sample_tasks import changed, make_spec
from web.broker_link.task_cache import TICKS_UNTIL_ANEW, TaskCache


def task(task_id: str = "t1", state: TaskState = TaskState.PROCESSING, attempt: int = 1) -> Task:
    return Task(make_spec(task_id), state, attempt, thread="w1")


def snapshot(seq: int, *tasks: Task, progress: tuple[m.Progress, ...] = ()) -> m.SnapshotPart:
    return m.SnapshotPart(1, seq, tasks, progress, True, True)


def shown(cache: TaskCache, task_id: str = "t1") -> dict[str, object]:
    body = cache.brief_json(task_id)
    assert body is not None
    fields: dict[str, object] = json.loads(body)
    return fields


def test_publications_in_order_need_no_snapshot_and_a_gap_does() -> None:
    cache = TaskCache(10)
    assert not cache.apply_change(changed(1, task("t1")))
    assert not cache.apply_change(changed(2, task("t2")))
    assert cache.apply_change(changed(4, task("t4")))


def test_a_tick_shows_a_gap_at_the_end() -> None:
    cache = TaskCache(10)
    cache.apply_snapshot(snapshot(5))
    assert not cache.apply_tick(m.Tick(5, 0, 0, 0, 0))
    assert cache.apply_tick(m.Tick(6, 0, 0, 0, 0))


def test_until_the_first_snapshot_the_cache_is_not_synced_and_asks_for_one() -> None:
    cache = TaskCache(10)
    assert cache.apply_tick(m.Tick(0, 0, 0, 0, 0))
    cache.apply_snapshot(m.SnapshotPart(1, 3, (task(),), (), True, False))
    assert not cache.synced
    cache.apply_snapshot(m.SnapshotPart(1, 3, (), (), False, True))
    assert cache.synced


def test_an_older_publication_is_dropped() -> None:
    cache = TaskCache(10)
    cache.apply_snapshot(snapshot(5, task(state=TaskState.DONE)))
    cache.apply_change(changed(4, task(state=TaskState.PROCESSING)))
    assert shown(cache)["state"] == "done"


def test_a_snapshot_that_publications_have_overtaken_does_not_undo_them() -> None:
    cache = TaskCache(10)
    cache.apply_change(changed(7, task(state=TaskState.DONE)))
    cache.apply_snapshot(snapshot(5, task(state=TaskState.PROCESSING)))
    assert shown(cache)["state"] == "done"
    assert cache.seq == 7


def test_progress_never_goes_back_within_an_attempt() -> None:
    cache = TaskCache(10)
    cache.apply_change(changed(1, task()))
    seen = []
    for percent in (10.0, 30.0, 20.0, 31.0):
        cache.apply_progress(m.Progress("t1", 1, percent))
        seen.append(shown(cache)["progress"])
    assert seen == [10.0, 30.0, 30.0, 31.0]


def test_progress_of_another_attempt_or_task_is_dropped() -> None:
    cache = TaskCache(10)
    cache.apply_change(changed(1, task(attempt=2)))
    cache.apply_progress(m.Progress("t1", 1, 90.0))
    cache.apply_progress(m.Progress("t2", 1, 90.0))
    assert shown(cache)["progress"] == 0.0
    assert cache.get("t2") is None


def test_a_new_attempt_starts_its_own_progress() -> None:
    cache = TaskCache(10)
    cache.apply_change(changed(1, task()))
    cache.apply_progress(m.Progress("t1", 1, 60.0))
    cache.apply_change(changed(2, task(attempt=2)))
    assert shown(cache)["progress"] == 0.0


def test_a_flag_on_the_task_keeps_its_progress() -> None:
    cache = TaskCache(10)
    cache.apply_change(changed(1, task()))
    cache.apply_progress(m.Progress("t1", 1, 60.0))
    cache.apply_change(changed(2, task()))
    assert shown(cache)["progress"] == 60.0


def test_an_answer_is_encoded_anew_when_anything_has_changed() -> None:
    cache = TaskCache(10)
    cache.apply_change(changed(1, task()))
    assert cache.brief_json("t1") is cache.brief_json("t1")
    cache.apply_progress(m.Progress("t1", 1, 5.0))
    assert shown(cache)["progress"] == 5.0


def test_only_ended_tasks_are_evicted_the_oldest_first() -> None:
    cache = TaskCache(3)
    for seq in range(1, 4):
        cache.put(task(f"live{seq}"), seq)
    for seq in range(4, 7):
        cache.put(task(f"ended{seq}", TaskState.DONE), seq)
    assert all(cache.get(f"live{seq}") is not None for seq in range(1, 4))
    assert len(cache) == 3
    small = TaskCache(2)
    for seq in range(1, 5):
        small.put(task(f"ended{seq}", TaskState.DONE), seq)
    assert [small.get(f"ended{seq}") is not None for seq in range(1, 5)] == [False, False, True, True]


def test_a_live_task_that_the_snapshot_lacks_is_forgotten_and_an_ended_one_kept() -> None:
    cache = TaskCache(10)
    cache.put(task("vanished"), 1)
    cache.put(task("ended", TaskState.DONE), 2)
    cache.put(task("newer"), 9)
    cache.apply_snapshot(snapshot(5, task("t1")))
    assert [cache.get(name) is not None for name in ("vanished", "ended", "newer", "t1")] == [False, True, True, True]


def test_a_broker_that_stays_behind_has_another_journal_and_the_cache_starts_anew() -> None:
    cache = TaskCache(10)
    cache.apply_snapshot(snapshot(50, task()))
    cache.apply_tick(m.Tick(49, 0, 0, 0, 0))
    assert cache.get("t1") is not None, "one late tick is no reason"
    for _ in range(TICKS_UNTIL_ANEW):
        wants_snapshot = cache.apply_tick(m.Tick(3, 0, 0, 0, 0))
    assert wants_snapshot
    assert cache.get("t1") is None
    cache.apply_snapshot(snapshot(3, task("t2")))
    assert cache.seq == 3


# ---- any crossing of snapshot and publications ends in the broker's own state ----

ACTIONS = st.lists(st.tuples(st.sampled_from(["submit", "cancel", "end", "progress"]), st.integers(0, 4)), max_size=25)


class Publisher:
    """A broker's core with one busy worker; keeps what it publishes."""

    def __init__(self) -> None:
        self.core = Core(CoreSettings(data_roots=("/",)))
        self.out: list[m.TaskChanged] = []
        self.worker(m.Hello("w1", "s1", "here", ("classification",), True))

    def handle(self, event: FromWeb | FromWorker) -> list[m.BrokerToWeb]:
        _, effects = self.core.handle(event, Now(1.0, 1.0))
        self.out += [e.change for e in effects if isinstance(e, Publish)]
        return [e.message for e in effects if isinstance(e, SendWeb)]

    def worker(self, message: m.WorkerToBroker) -> None:
        self.handle(FromWorker(b"w1", message))

    def act(self, action: str, number: int) -> None:
        held = self.core.tasks.get(next(iter(self.core.holders), ""))
        if action == "submit":
            self.handle(FromWeb(b"web", m.Submit(1, make_spec(f"t{number}"))))
        elif action == "cancel":
            self.handle(FromWeb(b"web", m.Cancel(1, f"t{number}")))
        elif held is not None and action == "end":
            self.worker(
                m.Result(
                    held.task_id,
                    held.attempt,
                    trained=Trained(f"/projects/anna/flowers/models/{held.task_id}/m.tflite"),
                )
            )
            self.worker(m.Heartbeat(True, None))
        elif held is not None:
            progress = m.Progress(held.task_id, held.attempt, 10.0 * number)
            worker = self.core.holders[held.task_id]
            self.core.take_progress(m.KeyedProgress(worker.publish_key, progress))

    def snapshot(self) -> list[m.SnapshotPart]:
        return [p for p in self.handle(FromWeb(b"web", m.SnapshotWanted(1))) if isinstance(p, m.SnapshotPart)]


@settings(max_examples=200)
@given(before=ACTIONS, after=ACTIONS, data=st.data())
def test_any_crossing_ends_in_the_same_state(
    before: list[tuple[str, int]], after: list[tuple[str, int]], data: st.DataObject
) -> None:
    publisher, cache = Publisher(), TaskCache(1000)
    for action in before:
        publisher.act(*action)
    # What was published before the subscription is lost; the snapshot is asked for later than that.
    lost = data.draw(st.integers(0, len(publisher.out)), label="lost")
    parts = publisher.snapshot()
    for action in after:
        publisher.act(*action)
    in_flight = publisher.out[lost:]
    shuffled = data.draw(st.permutations(in_flight), label="order")
    at = data.draw(st.integers(0, len(shuffled)), label="snapshot arrives at")
    for change in shuffled[:at]:
        cache.apply_change(change)
    for part in parts:
        cache.apply_snapshot(part)
    for change in shuffled[at:]:
        cache.apply_change(change)
    truth = {**publisher.core.recent, **publisher.core.tasks}
    held = {name: entry.task for name in truth if (entry := cache.get(name)) is not None}
    assert held == truth
    assert len(cache) == len(truth)
    assert cache.seq == publisher.core.seq


def test_the_parts_of_two_brokers_snapshots_are_not_mixed() -> None:
    """While the leadership passes on, both may answer. Each snapshot has both tasks, in two parts."""
    cache = TaskCache(10)
    cache.apply_snapshot(snapshot(5, task("t1"), task("t2")))
    of_old = [
        m.SnapshotPart(2, 5, (task("t1"),), (), True, False),
        m.SnapshotPart(2, 5, (task("t2"),), (), False, True),
    ]
    of_new = [
        m.SnapshotPart(3, 6, (task("t1"),), (), True, False),
        m.SnapshotPart(3, 6, (task("t2"),), (), False, True),
    ]
    assert [cache.apply_snapshot(part) for part in (of_old[0], of_new[0], of_old[1])] == [False, False, False]
    assert cache.get("t1") is not None
    assert cache.get("t2") is not None
    assert cache.apply_snapshot(of_new[1])
    assert cache.seq == 6
