"""Scenarios of the journal: a broker that serves, a migration, pruning, backup and restore."""

from __future__ import annotations

import functools
import signal
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import Now
from broker.facts import Cancelled, Record, Submitted, evolve
from broker.journal import Journal, JournalError
from broker.sqlite_journal.backup import back_up, restore
from broker.sqlite_journal.file import MIGRATIONS, examine, lock_path
from broker.sqlite_journal.journal import SqliteJournal
from conf.machine import running_system
from protocol import messages as m
from protocol.errors import Failure, FailureClass
from protocol.task import Task, TaskState
from tests.chaos.power_loss.recording import mark
from tests.chaos.power_loss.scenario import Problem
from tests.sample_tasks import hex_id, make_spec
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.socket.scripted_worker import ScriptedWorker

JOURNAL = Path("var") / "journal.sqlite3"
TASKS_A_LIFE = 12
OLD_S, NEW_S = 1000.0, 2000.0


def look_into(journal: Path, marks: Sequence[str]) -> Iterator[Problem]:
    """Open a journal as a broker does. Each mark is "STATE TASK": the task must be there, in that state or a later one.

    "waiting" and "held" are states that pass.
    """
    lock = lock_path(journal)
    if lock.exists():
        lock.write_bytes(lock.read_bytes().replace(running_system().encode(), b"another run"))
    try:
        with SqliteJournal(journal) as opened:
            core = Core(CoreSettings(data_roots=("/",)))
            left_out = core.recover(opened.recovered(1000, 0.0), Now(NEW_S, NEW_S))
            known = {task_id: task.state for task_id, task in core.tasks.items()}
            ended = {task.task_id: task.state for task in opened.recent_ended(1000)}
        examine(journal)
    except (JournalError, sqlite3.Error) as error:
        yield Problem("torn", f"no broker starts: {error}")
        return
    for task_id, reason in left_out.items():
        yield Problem("torn", f"task {task_id} is left out: {reason}")
    for words in marks:
        state, task_id = words.split()
        found = ended.get(task_id) or known.get(task_id)
        if found is None:
            yield Problem("lost", f"task {task_id} is not in the journal, and was told to be {state}")
        elif not _has_come_as_far(found, state):
            yield Problem("lost", f"task {task_id} is {found}, and was told to be {state}")


def _has_come_as_far(found: TaskState, told: str) -> bool:
    if told == "waiting":
        return True
    return found is not TaskState.PENDING if told == "held" else found.value == told


class ServingBroker:
    """A real broker makes its journal, takes tasks and results, is killed, started again and stopped."""

    name = "broker"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        pass

    def act(self, folder: Path) -> None:
        with (
            tempfile.TemporaryDirectory() as place,
            Programs(Path(place), start=False, BROKER_JOURNAL=folder / JOURNAL) as programs,
        ):
            for life in range(3):
                programs.start("broker")
                with (
                    ScriptedFrontEnd(programs.endpoints.web) as website,
                    ScriptedWorker(programs.endpoints.worker) as worker,
                ):
                    worker.join()
                    _serve(life, programs.projects, website, worker)
                if life == 1:
                    programs.kill("broker")
                else:
                    programs.stop("broker", signal.SIGTERM)

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        return look_into(folder / JOURNAL, marks)


def _serve(life: int, projects: Path, website: ScriptedFrontEnd, worker: ScriptedWorker) -> None:
    where = {"project_path": str(projects / "anna" / "flowers")}
    for number in range(TASKS_A_LIFE):
        spec = make_spec(hex_id(f"{life} {number}"), request_key=f"{life} {number}", **where)
        website.ask(m.TaskReply, functools.partial(m.Submit, spec=spec))
        mark(f"waiting {spec.task_id}")
        if number % 4 == 3:
            website.ask(m.TaskReply, functools.partial(m.Cancel, task_id=spec.task_id))
            mark(f"cancelled {spec.task_id}")
        elif number % 4 != 2:
            worker.send(m.Heartbeat(True, None))
            start = worker.receive(m.Start)
            mark(f"held {start.spec.task_id}")
            if number % 4 == 0:
                worker.finish(start)
                mark(f"done {start.spec.task_id}")
            else:
                failure = Failure("no_images", FailureClass.DATA, "There are no pictures.")
                worker.send(m.Result(start.spec.task_id, start.attempt, failure=failure))
                worker.receive(m.ResultAck)
                mark(f"failed {start.spec.task_id}")


class Migration:
    """A broker of this release opens a journal of the first one."""

    name = "migration"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        journal = folder / JOURNAL
        journal.parent.mkdir()
        with closing(sqlite3.connect(journal)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.executescript(f"BEGIN; {MIGRATIONS[0]}; PRAGMA user_version = 1; COMMIT;")
            for number in range(TASKS_A_LIFE):
                _insert_as_first_release(db, number)
            db.commit()

    def act(self, folder: Path) -> None:
        SqliteJournal(folder / JOURNAL).close()
        mark("open")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        states = ("waiting" if number % 2 else "cancelled" for number in range(TASKS_A_LIFE))
        return look_into(folder / JOURNAL, [f"{state} {hex_id(number)}" for number, state in enumerate(states)])


def _insert_as_first_release(db: sqlite3.Connection, number: int) -> None:
    records = [Record(2 * number + 1, OLD_S, hex_id(number), Submitted(make_spec(hex_id(number))))]
    if number % 2 == 0:
        records.append(Record(2 * number + 2, OLD_S, hex_id(number), Cancelled(1, 0.0)))
    task: Task | None = None
    for record in records:
        task = evolve(task, record)
        values = record.seq, record.at_s, record.task_id, msgspec.json.encode(record.fact).decode()
        db.execute("INSERT INTO facts VALUES (?, ?, ?, ?)", values)
    assert task is not None
    spec, text = task.spec, msgspec.json.encode(task).decode()
    who = spec.task_id, spec.user_id, spec.project_id
    times = task.submitted_at_s, task.ended_at_s
    db.execute("INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*who, task.state.value, "", *times, text))


class Pruning:
    """Old tasks are deleted while a journal is in use. The numbers of facts are never given twice."""

    name = "pruning"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        journal = folder / JOURNAL
        journal.parent.mkdir()
        with SqliteJournal(journal) as opened:
            for number in range(TASKS_A_LIFE):
                _submit_and_end(opened, number, OLD_S)

    def act(self, folder: Path) -> None:
        with SqliteJournal(folder / JOURNAL) as opened:
            _submit_and_end(opened, TASKS_A_LIFE, NEW_S)
            mark(f"numbered {opened.last_seq()}")
            mark(f"cancelled {hex_id(TASKS_A_LIFE)}")
            opened.prune((OLD_S + NEW_S) / 2)
            _submit_and_end(opened, TASKS_A_LIFE + 1, NEW_S)
            mark(f"numbered {opened.last_seq()}")
            mark(f"cancelled {hex_id(TASKS_A_LIFE + 1)}")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        journal = folder / JOURNAL
        found = list(look_into(journal, [words for words in marks if not words.startswith("numbered")]))
        yield from found
        if found:
            return
        given = max([0, *(int(words.split()[1]) for words in marks if words.startswith("numbered"))])
        with SqliteJournal(journal) as opened:
            if opened.last_seq() < given:
                yield Problem("lost", f"fact {given} was written, and the next one would be {opened.last_seq() + 1}")
        with closing(sqlite3.connect(journal)) as db:
            halves = db.execute(
                "SELECT task_id FROM facts WHERE task_id NOT IN (SELECT task_id FROM tasks) UNION "
                "SELECT task_id FROM tasks WHERE task_id NOT IN (SELECT task_id FROM facts)"
            ).fetchall()
        for (task_id,) in halves:
            yield Problem("torn", f"task {task_id} is half deleted")


def _submit_and_end(journal: Journal, number: int, at_s: float) -> None:
    seq, task_id = journal.last_seq(), hex_id(number)
    submitted = Record(seq + 1, at_s, task_id, Submitted(make_spec(task_id, metadata={"order": str(number)})))
    cancelled = Record(seq + 2, at_s, task_id, Cancelled(1, 0.0))
    task = evolve(None, submitted)
    journal.append([submitted], [task])
    journal.append([cancelled], [evolve(task, cancelled)])


class BackupAndRestore:
    """A journal is backed up, more tasks come, and the backup is restored."""

    name = "backup and restore"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        (folder / JOURNAL).parent.mkdir()
        with SqliteJournal(folder / JOURNAL) as opened:
            _submit_and_end(opened, 1, OLD_S)

    def act(self, folder: Path) -> None:
        journal, backup = folder / JOURNAL, folder / "backup.sqlite3"
        with SqliteJournal(journal) as opened:
            _submit_and_end(opened, 2, OLD_S)
            mark("written 2")
            back_up(journal, backup, overwrite=False)
            mark("backed up")
            _submit_and_end(opened, 3, OLD_S)
            mark("written 3")
            back_up(journal, backup, overwrite=True)
            mark("backed up again")
            _submit_and_end(opened, 4, OLD_S)
        mark("restoring")
        restore(backup, journal)
        mark("restored")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        written = [1, 2, 3] if "written 3" in marks else [1, 2] if "written 2" in marks else [1]
        saved = 3 if "backed up again" in marks else 2 if "backed up" in marks else 0
        if saved:
            # Looked at first, because opening it as a journal leaves files beside it.
            yield from look_into(folder / "backup.sqlite3", [f"cancelled {hex_id(n)}" for n in range(1, saved + 1)])
        is_between = "restoring" in marks and "restored" not in marks
        if is_between and not (folder / JOURNAL).exists():
            # The command tells whoever calls it again; until then no broker starts with an empty journal.
            if not list((folder / JOURNAL).parent.glob(f"{JOURNAL.name}.until-*")):
                yield Problem("lost", "the journal is neither there nor set aside")
            return
        yield from look_into(folder / JOURNAL, [f"cancelled {hex_id(n)}" for n in written])
