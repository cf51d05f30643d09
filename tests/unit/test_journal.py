"""The journal: durable once `append` has returned, for one broker only, and readable beside it."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import Now
from broker.facts import Record, Submitted, evolve
from broker.journal import PRUNED_A_CALL, JournalError
from broker.journal_rows import beside_fact
from broker.journal_seal import sealed
from broker.journal_store import JournalStore, read_story
from protocol import messages as m
from protocol.errors import Failure, FailureClass
from protocol.task import Task, TaskState, Trained
from tests.journals import AGAIN, DONE, GONE, JOURNALS, LATE, T1, WAITING, Recorder, live, model_of, new_store, run_sql
from tests.sample_tasks import hex_id, make_spec


@pytest.fixture(params=JOURNALS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> JournalStore:
    return new_store(request.param, tmp_path)


def test_what_was_appended_is_there_after_reopening(store: JournalStore) -> None:
    with store.open() as journal:
        live(Recorder(journal))
    with store.open() as journal:
        done = journal.task(DONE)
        assert done is not None
        assert (done.state, done.trained) == (TaskState.DONE, Trained(model_of(DONE), {"accuracy": 0.5}))
        assert journal.task("never") is None


def test_replay_gives_what_the_broker_had_in_memory(store: JournalStore) -> None:
    with store.open() as journal:
        before = live(Recorder(journal)).core
    with store.open() as journal:
        core = Core(CoreSettings(data_roots=("/",)))
        assert core.recover(journal.recovered(100, 0.0), Now(2000.0, 2000.0)) == {}
    assert (core.tasks, dict(core.recent), core.seq) == (before.tasks, dict(before.recent), before.seq)


def test_a_failed_append_writes_nothing(store: JournalStore) -> None:
    records = [Record(seq, 1.0, hex_id(3 + seq), Submitted(make_spec(hex_id(3 + seq)))) for seq in (1, 2)]
    with store.open() as journal:
        journal.append(records[:1], [evolve(None, records[0])])
        with pytest.raises(JournalError):
            journal.append([records[1], records[0]], [])
        assert journal.last_seq() == 1
        assert [record.task_id for record in journal.live_records()] == [T1]


def test_a_second_broker_is_refused_until_the_first_has_gone(store: JournalStore) -> None:
    with store.open(), pytest.raises(JournalError, match="Another broker is using the journal"):
        store.open()
    store.open().close()


def test_pruning_forgets_ended_tasks_only_and_keeps_the_count_of_facts(store: JournalStore) -> None:
    with store.open() as journal:
        recorder = live(Recorder(journal))
        recorder.now_s = 2000.0
        recorder.submit(LATE)
        recorder.cancel(LATE)
        seq = journal.last_seq()
        assert journal.prune(ended_before_s=1500.0) == 2
        assert journal.task(DONE) is None
        assert journal.task(LATE) is not None
        assert {record.task_id for record in journal.live_records()} == {AGAIN, WAITING}
        assert journal.prune(ended_before_s=3000.0) == 1
        assert journal.last_seq() == seq
    with store.open() as journal:
        assert journal.last_seq() == seq, "numbers must never be given twice"


def test_pruning_goes_in_bites_that_do_not_hold_the_broker_up(store: JournalStore) -> None:
    with store.open() as journal:
        ended = [Task(make_spec(hex_id(n)), TaskState.DONE, ended_at_s=1.0) for n in range(PRUNED_A_CALL + 1)]
        journal.append([], ended)
        assert journal.prune(2.0) == PRUNED_A_CALL
        assert journal.prune(2.0) == 1
        assert journal.prune(2.0) == 0


def test_the_newest_ended_tasks_come_oldest_first(store: JournalStore) -> None:
    with store.open() as journal:
        journal.append([], [Task(make_spec(hex_id(n)), TaskState.DONE, ended_at_s=float(n)) for n in (3, 1, 2)])
        assert [task.task_id for task in journal.recent_ended(2)] == [hex_id(2), hex_id(3)]


def test_numbers_are_not_given_again_after_facts_that_are_said_to_be_missing(store: JournalStore) -> None:
    with store.open() as journal:
        live(Recorder(journal))
        journal.note_pruned(3)
        assert (journal.last_seq(), journal.view.pruned_up_to()) == (10, 3)
        journal.note_pruned(20)
    with store.open() as journal:
        assert (journal.last_seq(), journal.view.pruned_up_to()) == (20, 20)


def test_the_story_of_a_task_reads_in_order_beside_a_running_broker(store: JournalStore) -> None:
    with store.open() as journal:
        live(Recorder(journal))
        story = read_story(store, AGAIN)
        assert [type(record.fact).__name__ for record in story] == ["Submitted", "Leased", "Requeued"]
        assert read_story(store, "never") == []


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_leaves_the_journal_readable(store: JournalStore, number: float) -> None:
    trained = Trained(model_of(T1), {"accuracy": 0.5, "loss": number}, {"head": number})
    with store.open() as journal:
        recorder = Recorder(journal)
        recorder.worker(m.Hello("w1", "s1", "here", ("classification",), True))
        recorder.submit(T1)
        recorder.worker(m.Result(T1, 1, trained=trained, progress=number))
        recorder.submit(LATE)
        recorder.worker(m.Heartbeat(True, None))
        recorder.worker(m.Result(LATE, 1, failure=Failure("no_images", FailureClass.DATA, "x"), progress=number))
    with store.open() as journal:
        states = {task.task_id: (task.state, task.progress) for task in journal.recent_ended(10)}
        assert states[T1] == (TaskState.DONE, 100.0)
        assert states[LATE][0] is TaskState.FAILED
        assert 0.0 <= states[LATE][1] < 100.0
        done = journal.task(T1)
        assert done is not None
        assert done.trained is not None
        assert done.trained.metrics == {"accuracy": 0.5}
        assert msgspec.json.decode(msgspec.json.encode(done), type=Task) == done


def test_a_record_beyond_all_bounds_keeps_its_own_task_out_and_no_other(store: JournalStore) -> None:
    """As an earlier release may have written it."""
    with store.open() as journal:
        live(Recorder(journal))
        for task_id in (WAITING, DONE):
            task = journal.task(task_id)
            run_sql(store, "UPDATE tasks SET task = %s WHERE task_id = %s", with_long_folder(task, task_id), task_id)
            for record in read_story(store, task_id):
                text = with_long_folder(record.fact, beside_fact(record.seq, record.at_s, task_id))
                run_sql(store, "UPDATE facts SET fact = %s WHERE seq = %s", text, record.seq)
    with store.open() as journal:
        core = Core(CoreSettings())
        assert core.recover(journal.recovered(100, 0.0), Now(2000.0, 2000.0)) == {}
        assert core.tasks.keys() == {AGAIN}
        assert [task.task_id for task in journal.recent_ended(10)] == [GONE]
        assert journal.task(DONE) is None
    with pytest.raises(JournalError, match="length <= 4096"):
        read_story(store, DONE)


def with_long_folder(value: object, beside: str) -> str:
    return sealed(msgspec.json.encode(value).replace(b"anna/flowers", b"x" * 1_000_000), beside).decode()
