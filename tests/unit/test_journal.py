"""The journal: durable once `append` has returned, for one broker only, and readable beside it."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import msgspec
import pytest

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import FromWeb, FromWorker, Now
from broker.facts import Record, Submitted, evolve
from broker.journal import PRUNED_A_CALL, Journal, read_story
from broker.journal_file import MIGRATIONS, JournalError
from protocol import messages as m
from protocol.errors import Failure, FailureClass
from protocol.task import Task, TaskState, Trained
from tests.sample_tasks import hex_id, make_spec

DONE, AGAIN, GONE, WAITING, T1, LATE = map(hex_id, range(6))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "journal.sqlite3"


def model_of(task_id: str) -> str:
    return f"/projects/anna/flowers/models/{task_id}/model.tflite"


class Recorder:
    """A core whose facts go to a journal, as the shell does it."""

    def __init__(self, journal: Journal) -> None:
        self.core = Core(CoreSettings(data_roots=("/",)))
        self.journal = journal
        self.now_s = 1000.0

    def handle(self, event: FromWeb | FromWorker) -> None:
        records, _ = self.core.handle(event, Now(self.now_s, self.now_s))
        changed = {record.task_id for record in records}
        self.journal.append(records, [self.core.tasks.get(name) or self.core.recent[name] for name in changed])

    def submit(self, task_id: str) -> None:
        self.handle(FromWeb(b"web", m.Submit(1, make_spec(task_id))))

    def cancel(self, task_id: str) -> None:
        self.handle(FromWeb(b"web", m.Cancel(1, task_id)))

    def worker(self, message: m.WorkerToBroker) -> None:
        self.handle(FromWorker(b"w1", message))


def live(recorder: Recorder) -> Recorder:
    """One task done, one failed and requeued, one cancelled, one waiting."""
    for name in (DONE, AGAIN, GONE, WAITING):
        recorder.submit(name)
    recorder.worker(m.Hello("w1", "s1", "here", ("classification",), True))
    trained = Trained(model_of(DONE), {"accuracy": 0.5})
    recorder.worker(m.Result(DONE, 1, trained=trained))
    recorder.worker(m.Heartbeat(True, None))
    recorder.worker(m.Result(AGAIN, 1, failure=Failure("trainer_error", FailureClass.TRAINER, "It broke.", "trace")))
    recorder.cancel(GONE)
    return recorder


def test_what_was_appended_is_there_after_reopening(path: Path) -> None:
    with Journal(path) as journal:
        live(Recorder(journal))
    with Journal(path) as journal:
        done = journal.task(DONE)
        assert done is not None
        assert (done.state, done.trained) == (TaskState.DONE, Trained(model_of(DONE), {"accuracy": 0.5}))
        assert journal.task("never") is None


def test_a_crash_right_after_append_loses_nothing(path: Path, tmp_path: Path) -> None:
    with Journal(path) as journal:
        live(Recorder(journal))
        # The files as they lie on disk now, without the courtesy of a close.
        copy = tmp_path / "copy.sqlite3"
        for suffix in ("", "-wal"):
            copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
        seq = journal.last_seq()
    with Journal(copy) as crashed:
        assert crashed.last_seq() == seq
        assert {record.task_id for record in crashed.live_records()} == {AGAIN, WAITING}


def test_every_commit_is_synced_before_append_returns(path: Path) -> None:
    with Journal(path) as journal:
        pragmas = [journal._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


def test_replay_gives_what_the_broker_had_in_memory(path: Path) -> None:
    with Journal(path) as journal:
        before = live(Recorder(journal)).core
    with Journal(path) as journal:
        core = Core(CoreSettings(data_roots=("/",)))
        assert core.recover(journal.recovered(100, 0.0), Now(2000.0, 2000.0)) == {}
    assert (core.tasks, dict(core.recent), core.seq) == (before.tasks, dict(before.recent), before.seq)


def test_a_failed_append_writes_nothing(path: Path) -> None:
    records = [Record(seq, 1.0, hex_id(3 + seq), Submitted(make_spec(hex_id(3 + seq)))) for seq in (1, 2)]
    with Journal(path) as journal:
        journal.append(records[:1], [evolve(None, records[0])])
        with pytest.raises(sqlite3.Error):
            journal.append([records[1], records[0]], [])
        assert journal.last_seq() == 1
        assert [record.task_id for record in journal.live_records()] == [T1]


def test_a_second_broker_is_refused_until_the_first_has_gone(path: Path) -> None:
    with Journal(path), pytest.raises(JournalError, match="Another broker is using the journal"):
        Journal(path)
    Journal(path).close()


def test_a_journal_of_a_newer_release_is_refused(path: Path) -> None:
    Journal(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    with pytest.raises(JournalError, match="newer release"):
        Journal(path)


def test_a_file_that_is_no_journal_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database, but long enough to be looked at " * 20)
    with pytest.raises(JournalError, match="damaged or is no SQLite file"):
        Journal(path)


def test_pruning_forgets_ended_tasks_only_and_keeps_the_count_of_facts(path: Path) -> None:
    with Journal(path) as journal:
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
    with Journal(path) as journal:
        assert journal.last_seq() == seq, "numbers must never be given twice"


def test_pruning_goes_in_bites_that_do_not_hold_the_broker_up(path: Path) -> None:
    with Journal(path) as journal:
        ended = [Task(make_spec(hex_id(n)), TaskState.DONE, ended_at_s=1.0) for n in range(PRUNED_A_CALL + 1)]
        journal.append([], ended)
        assert journal.prune(2.0) == PRUNED_A_CALL
        assert journal.prune(2.0) == 1
        assert journal.prune(2.0) == 0


def test_the_newest_ended_tasks_come_oldest_first(path: Path) -> None:
    with Journal(path) as journal:
        journal.append([], [Task(make_spec(hex_id(n)), TaskState.DONE, ended_at_s=float(n)) for n in (3, 1, 2)])
        assert [task.task_id for task in journal.recent_ended(2)] == [hex_id(2), hex_id(3)]


def test_the_story_of_a_task_reads_in_order_beside_a_running_broker(path: Path) -> None:
    with Journal(path) as journal:
        live(Recorder(journal))
        story = read_story(path, AGAIN)
        assert [type(record.fact).__name__ for record in story] == ["Submitted", "Leased", "Requeued"]
        assert read_story(path, "never") == []


def test_no_story_without_a_journal(path: Path) -> None:
    with pytest.raises(JournalError, match="Cannot read"):
        read_story(path, T1)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_does_not_make_the_journal_unreadable(path: Path, number: float) -> None:
    trained = Trained(model_of(T1), {"accuracy": 0.5, "loss": number}, {"head": number})
    with Journal(path) as journal:
        recorder = Recorder(journal)
        recorder.worker(m.Hello("w1", "s1", "here", ("classification",), True))
        recorder.submit(T1)
        recorder.worker(m.Result(T1, 1, trained=trained, progress=number))
        recorder.submit(LATE)
        recorder.worker(m.Heartbeat(True, None))
        recorder.worker(m.Result(LATE, 1, failure=Failure("no_images", FailureClass.DATA, "x"), progress=number))
    with Journal(path) as journal:
        states = {task.task_id: (task.state, task.progress) for task in journal.recent_ended(10)}
        assert states[T1] == (TaskState.DONE, 100.0)
        assert states[LATE][0] is TaskState.FAILED
        assert 0.0 <= states[LATE][1] < 100.0
        done = journal.task(T1)
        assert done is not None
        assert done.trained is not None
        assert done.trained.metrics == {"accuracy": 0.5}
        assert msgspec.json.decode(msgspec.json.encode(done), type=Task) == done


def test_a_record_beyond_all_bounds_keeps_its_own_task_out_and_no_other(path: Path) -> None:
    """As an earlier release may have written it, or somebody's hand."""
    with Journal(path) as journal:
        live(Recorder(journal))
    db = sqlite3.connect(path)
    for table, column in (("facts", "fact"), ("tasks", "task")):
        db.execute(
            f"UPDATE {table} SET {column} = replace({column}, 'anna/flowers', ?) WHERE task_id IN (?, ?)",
            ("x" * 1_000_000, WAITING, DONE),
        )
    db.commit()
    db.close()
    with Journal(path) as journal:
        core = Core(CoreSettings())
        assert core.recover(journal.recovered(100, 0.0), Now(2000.0, 2000.0)) == {}
        assert core.tasks.keys() == {AGAIN}
        assert [task.task_id for task in journal.recent_ended(10)] == [GONE]
        assert journal.task(DONE) is None
    with pytest.raises(JournalError, match="length <= 4096"):
        read_story(path, DONE)
