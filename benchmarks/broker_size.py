"""`python -m benchmarks.broker_size`: do submits and leases cost the same with 100,000 waiting tasks as with 100?

The core is measured alone, without sockets. Memory and restart are measured with the journal on disk.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from broker.core import Core
from broker.core_settings import CoreSettings
from broker.events import Event, FromWeb, FromWorker, Now, TimePassed
from broker.facts import Record
from broker.sqlite_journal.journal import SqliteJournal
from protocol import messages as m
from protocol.task import TaskSpec, TaskState, Trained

SMALL, LARGE, WORKERS = 100, 100_000, 1_000
MEASURED, ROUNDS = 500, 7


class Bench:
    """A core with a given number of waiting tasks and busy workers."""

    def __init__(self, tasks: int, workers: int) -> None:
        self.core = Core(CoreSettings(max_pending=10**6, max_pending_per_user=10**6))
        self.records: list[Record] = []
        self.now_s = 0.0
        self._submitted = 0
        for number in range(workers):
            hello = m.Hello(f"w{number}", "s", "host", ("classification",), ready=True)
            self.handle(FromWorker(b"w%d" % number, hello))
        for _ in range(tasks + workers):
            self.submit()

    def handle(self, event: Event) -> None:
        records, _ = self.core.handle(event, Now(self.now_s, self.now_s))
        self.records += records

    def submit(self) -> None:
        self._submitted += 1
        number = self._submitted
        spec = TaskSpec(f"task{number:028d}", f"user{number % 997}", "p", "/data/p", "/data/p", "classification")
        self.handle(FromWeb(b"web", m.Submit(number, spec)))

    def finish_and_lease(self) -> None:
        """A worker sends its result, says that it is ready, and gets the next task."""
        task = next(task for task in self.core.tasks.values() if task.state is TaskState.PROCESSING)
        peer = b"w" + task.thread[1:].encode()
        self.handle(FromWorker(peer, m.Result(task.task_id, task.attempt, trained=Trained("/x"))))
        self.handle(FromWorker(peer, m.Heartbeat(ready=True)))
        self.handle(TimePassed())


def microseconds(step: object, count: int) -> float:
    assert callable(step)
    began_s = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - began_s) / count * 1e6


def compare() -> tuple[Bench, list[tuple[str, float, float]]]:
    """The median cost of an event. The small and the large core take turns."""
    small, large = Bench(SMALL, 10), Bench(LARGE, WORKERS)
    rows = []
    for name in ("submit", "finish_and_lease"):
        costs: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            for bench, into in zip((small, large), costs, strict=True):
                into.append(microseconds(getattr(bench, name), MEASURED if bench is large else SMALL // 2))
        rows.append((name.replace("_", " "), statistics.median(costs[0]), statistics.median(costs[1])))
    return large, rows


def restart_seconds(bench: Bench, folder: Path) -> float:
    """Seconds from opening a journal with all these facts until the core could answer."""
    path = folder / "journal.sqlite3"
    with SqliteJournal(path) as journal:
        tasks = {**bench.core.recent, **bench.core.tasks}
        known = [record for record in bench.records if record.task_id in tasks]
        journal.append(known, list(tasks.values()))
    began_s = time.perf_counter()
    core = Core(bench.core.settings)
    with SqliteJournal(path) as journal:
        left_out = core.recover(journal.recovered(core.settings.recent_tasks, 0.0), Now(0.0, 0.0))
    took_s = time.perf_counter() - began_s
    assert not left_out, left_out
    assert core.tasks == bench.core.tasks, "the restarted broker has other tasks"
    return took_s


def main() -> None:
    console = Console()
    base_mb = psutil.Process().memory_info().rss / 2**20
    large, rows = compare()
    large.records = large.records[:]
    table = Table(title=f"Broker core: {LARGE:,} waiting tasks, {WORKERS:,} busy workers against {SMALL} and 10")
    for column in ("event", f"at {SMALL} tasks", f"at {LARGE:,} tasks", "ratio", "target"):
        table.add_column(column, justify="right")
    for name, before, after in rows:
        table.add_row(name, f"{before:.0f} µs", f"{after:.0f} µs", f"{after / before:.2f}", "≤ 1.5")
    with tempfile.TemporaryDirectory() as folder:
        restart_s = restart_seconds(large, Path(folder))
    large.records.clear()
    table.add_row("restart", "", f"{restart_s:.1f} s", "", "≤ 10 s")
    console.print(table)
    console.print(
        f"Memory of this process, including its own list of all facts: {base_mb:.0f} MB before, "
        f"{psutil.Process().memory_info().rss / 2**20:.0f} MB after (a broker: at most 400 MB)."
    )
    console.print(describe_machine())


if __name__ == "__main__":
    main()
