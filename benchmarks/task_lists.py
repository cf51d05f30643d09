"""How long a page of a list takes out of a journal with many tasks, measured at the broker's own socket.

Part `lists` of `python -m benchmarks.api` calls this. Target: at most 20 ms (median) for each page of 50 tasks with its
counts, whatever its filter. It also prints how long a reader of all past events delays other requests, and how long a
journal of the first version takes to be converted.
"""

from __future__ import annotations

import functools
import itertools
import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import psutil
import zmq

from benchmarks.service_processes import ServiceProcesses
from broker.facts import Done, Fact, Leased, Record, Submitted, evolve
from broker.journal import Journal
from broker.sqlite_journal.file import MIGRATIONS, open_journal
from broker.sqlite_journal.journal import SqliteJournal
from protocol import messages as m
from protocol import wire
from protocol.data_report import DataReport
from protocol.queries import EventsPart, EventsWanted, TaskPage, TasksWanted
from protocol.task import Task, TaskSpec, TaskState, Trained
from protocol.task_filter import TaskFilter, TaskOrder

TASKS = 100_000
USERS = 500
COMMITTED_TASKS = 5000
REPEATS = 15
PAGES = 5
PAGE_TASKS = 50
TARGET_MS = 20.0
ANSWER_TIMEOUT_MS = 20_000
#: The tasks of the journal were submitted within the last day, one after the other.
INTERVAL_S = 0.8
TRAINED = Trained(
    "/projects/p/models/m/model.tflite",
    {f"metric_{number}": 0.5 for number in range(10)},
    {f"stage_{number}": 1.5 for number in range(8)},
    data=DataReport("class_folders", "One folder for each class.", 200, {f"class {n}": 20 for n in range(10)}),
)


def lists_part(folder: Path, tasks: int = TASKS) -> None:
    """Fill a journal, convert an older one like it, and measure lists and events at a running broker."""
    service = ServiceProcesses(folder)
    journal = folder / "journal.sqlite3"
    began_s = time.perf_counter()
    with SqliteJournal(journal) as opened:
        fill(opened, tasks)
    print(f"\nA journal of {tasks} tasks, {journal.stat().st_size / 2**20:.0f} MB, filled in {passed(began_s):.0f} s.")
    old = folder / "old.sqlite3"
    make_first_version(journal, old)
    began_s = time.perf_counter()
    open_journal(old).close()
    print(f"A journal of the first version with as many tasks is converted in {passed(began_s):.1f} s.")
    old.unlink()
    with service.program("broker", "-m", "broker") as process, Asker(service.endpoints.web) as broker:
        broker.ask(m.WorkersWanted)
        measure_lists(broker, psutil.Process(process.pid), made_up_filters())
        measure_events(broker)


def fill(journal: Journal, tasks: int) -> None:
    """Write tasks of all kinds with three facts each, without the work of a broker."""
    chance = random.Random(7)
    seqs = itertools.count(1)
    records: list[Record] = []
    written: list[Task] = []
    first_at_s = time.time() - tasks * INTERVAL_S
    for number in range(tasks):
        at_s = first_at_s + number * INTERVAL_S
        spec = made_up_spec(number)
        facts: list[Fact] = [Submitted(spec), Leased(1, f"worker-{number % 8}", "s1"), Done(1, TRAINED)]
        task = None
        for fact in facts if chance.random() < 0.98 else facts[:1]:
            record = Record(next(seqs), at_s + 60.0 * isinstance(fact, Done), spec.task_id, fact)
            task = evolve(task, record)
            records.append(record)
        written += [task] if task else []
        if len(written) == COMMITTED_TASKS or number == tasks - 1:
            journal.append(records, written)
            records, written = [], []


def made_up_spec(number: int) -> TaskSpec:
    """One user has every other task; the others share the rest. Every task has one value in common with all others."""
    user = "largest" if number % 2 else f"user-{number % USERS}"
    return TaskSpec(
        task_id=f"{number:032x}",  # in the order of time, as real ones are
        user_id=user,
        project_id=f"project-{number % 1000}",
        project_dir=f"{user}/project",
        project_path=f"/projects/{user}/project",
        train_type="segmentation" if number % 1000 == 0 else "classification",
        metadata={"website": "shop", "order": f"{number // 10}"},
        retry_of=f"{1:032x}" if number % 5000 == 3 else "",
    )


def make_first_version(journal: Path, old: Path) -> None:
    """Copy a journal as a file of the first version: its tables, without the columns that came later."""
    with closing(sqlite3.connect(old, isolation_level=None)) as db:
        db.executescript(f"PRAGMA journal_mode=WAL; {MIGRATIONS[0]} PRAGMA user_version = 1;")
        db.execute("ATTACH ? AS newer", (str(journal),))
        columns = "task_id, user_id, project_id, state, request_key, submitted_at_s, ended_at_s, task"
        db.execute("BEGIN")
        db.execute("INSERT INTO facts SELECT * FROM newer.facts")
        db.execute(f"INSERT INTO tasks SELECT {columns} FROM newer.tasks")
        db.execute("COMMIT")


class Asker:
    """Asks the broker as a front-end does. Use as a context manager."""

    def __init__(self, endpoint: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        self._dealer.rcvtimeo = ANSWER_TIMEOUT_MS
        self._dealer.connect(endpoint)
        self._numbers = itertools.count(1)

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def send(self, make: Callable[[int], m.WebToBroker]) -> None:
        self._dealer.send_multipart(wire.encode(make(next(self._numbers))))

    def receive(self) -> m.BrokerToWeb:
        answer: m.BrokerToWeb = wire.decode(self._dealer.recv_multipart(), m.BrokerToWeb)
        return answer

    def ask(self, make: Callable[[int], m.WebToBroker]) -> m.BrokerToWeb:
        self.send(make)
        return self.receive()


def made_up_filters() -> dict[str, TaskFilter]:
    """Filters that all, many, few or none of the tasks meet, with and without an index of their own."""
    return {
        "all tasks": TaskFilter(),
        "state done": TaskFilter(states=(TaskState.DONE,)),
        "state pending": TaskFilter(states=(TaskState.PENDING,)),
        "a user with few": TaskFilter(user_id="user-10"),
        "a user with half of all": TaskFilter(user_id="largest"),
        "a project of a user": TaskFilter(user_id="largest", project_id="project-7"),
        "a project": TaskFilter(project_id="project-7"),
        "a trainType with all": TaskFilter(train_type="classification"),
        "a rare trainType": TaskFilter(train_type="segmentation"),
        "a trainType with none": TaskFilter(train_type="detection"),
        "submitted in an hour": TaskFilter(submitted_after_s=time.time() - 7200, submitted_before_s=time.time() - 3600),
        "submitted within a day": TaskFilter(submitted_after_s=time.time() - 86400),
        "metadata of a few": TaskFilter(metadata={"order": "77"}),
        "metadata of all": TaskFilter(metadata={"website": "shop"}),
        "metadata and user": TaskFilter(metadata={"website": "shop"}, user_id="largest"),
        "two metadata values": TaskFilter(metadata={"order": "77", "website": "shop"}),
        "a search for none": TaskFilter(search="nobody"),
        "a search for a few": TaskFilter(search="project-771"),
        "a search for a hundredth": TaskFilter(search="project-77"),
        "a search for half of all": TaskFilter(search="large"),
        "a search for all": TaskFilter(search="00"),
        "a search in a user": TaskFilter(search="project-7", user_id="largest"),
        "retries of a task": TaskFilter(retry_of=f"{1:032x}"),
    }


def measure_lists(broker: Asker, process: psutil.Process, filters: Mapping[str, TaskFilter]) -> None:
    """Print a row for each filter: the time of the first pages, from the question to the decoded answer.

    The broker's processor time for a page shows how much of that other programs on the machine have added.
    """
    orders: tuple[TaskOrder, ...] = ("-submittedAt", "submittedAt", "-endedAt", "endedAt")
    print(f"\n{'':<26}{'sort':<14}{'tasks':>8}{'p50 ms':>9}{'max ms':>9}{'CPU ms':>9}  pages of {PAGE_TASKS}")
    slowest = most_used = 0.0
    for name, wanted in filters.items():
        for order in orders:
            used_before_ms = processor_ms(process)
            took_ms, found = time_pages(broker, wanted, order)
            used_ms = (processor_ms(process) - used_before_ms) / len(took_ms)
            p50 = statistics.median(took_ms)
            slowest, most_used = max(slowest, p50), max(most_used, used_ms)
            print(f"{name:<26}{order:<14}{found:>8}{p50:>9.1f}{max(took_ms):>9.1f}{used_ms:>9.1f}", flush=True)
    print(
        f"The slowest median is {slowest:.1f} ms (target {TARGET_MS:.0f}), with {most_used:.1f} ms of processor time."
    )


def time_pages(broker: Asker, wanted: TaskFilter, order: TaskOrder) -> tuple[list[float], int]:
    """Milliseconds for each page, and how many tasks meet the conditions."""
    took_ms = []
    found = 0
    for _ in range(REPEATS // PAGES):
        cursor = ""
        for _ in range(PAGES):
            began_s = time.perf_counter()
            page = broker.ask(
                functools.partial(TasksWanted, wanted=wanted, order=order, cursor=cursor, most=PAGE_TASKS)
            )
            took_ms.append(passed(began_s) * 1000)
            if not isinstance(page, TaskPage):
                raise RuntimeError(f"The broker answered {page}")
            found, cursor = sum(page.counts.values()), page.next
            if not cursor:
                break
    return took_ms, found


def measure_events(broker: Asker) -> None:
    """Read all events, and ask for a task in between: how long does one wait for the other?"""
    after = events = 0
    waits_ms: list[float] = []
    began_s = time.perf_counter()
    while True:
        broker.send(functools.partial(EventsWanted, after=after))
        asked_s = time.perf_counter()
        broker.send(m.WorkersWanted)
        answers = [broker.receive()]
        if not isinstance(answers[0], EventsPart):
            waits_ms.append(passed(asked_s) * 1000)
        answers.append(broker.receive())
        part = next(answer for answer in answers if isinstance(answer, EventsPart))
        events, after = events + len(part.events), part.up_to
        if after >= part.seq:
            break
    print(f"\n{events} past events in {passed(began_s):.1f} s. Another request at the same time waits", end=" ")
    print(f"{statistics.median(waits_ms):.1f} ms (median), {max(waits_ms):.1f} ms at most.")


def processor_ms(process: psutil.Process) -> float:
    used = process.cpu_times()
    return 1000.0 * (used.user + used.system)


def passed(began_s: float) -> float:
    return time.perf_counter() - began_s
