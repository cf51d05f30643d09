"""What a journal in PostgreSQL costs, compared with one in an SQLite file in the same run.

    python -m benchmarks.journals                    all parts, some minutes
    python -m benchmarks.journals --part commits     commits a second, and milliseconds for each
    python -m benchmarks.journals --part posts       POSTs a second, through front-end and broker
    python -m benchmarks.journals --part lists       pages out of 100,000 tasks
    python -m benchmarks.journals --url URL          in this database, whose schema must be empty

Without a URL, a server of its own runs beside the benchmark, on the same disk and durable (fsync=on). A real one is
reached through a network, and each commit takes its round trip more. Target: a page of a list takes at most 30 ms
(median), with its counts.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psutil

from benchmarks.http_load import Measured, loaded
from benchmarks.http_requests import form, post_request
from benchmarks.machine import describe_machine
from benchmarks.service_processes import ServiceProcesses
from benchmarks.task_lists import PAGE_TASKS, TASKS, fill, made_up_filters
from broker.facts import Record, Submitted, evolve
from broker.journal import Journal
from broker.journal_store import JournalStore, store_at
from broker.journal_view import JournalView
from broker.task_lists import TaskLists
from protocol.queries import TasksWanted
from protocol.task_filter import TaskOrder
from tests.postgres_server import PostgresServer
from tests.sample_tasks import make_spec

PARTS = ("commits", "posts", "lists")
ROUNDS = 5
COMMITS_A_ROUND = 60
FACTS_A_COMMIT = (1, 20, 200)
CONNECTIONS = (16, 64)
POST_SECONDS = 3.0
USERS = 50
REPEATS = 15
ORDERS: tuple[TaskOrder, ...] = ("-submittedAt", "endedAt")
TARGET_MS = 30.0
READY_TIMEOUT_S = 90.0
UNLIMITED = "10000000"


def places(folder: Path, server: PostgresServer | None, url: str) -> dict[str, str]:
    """Where the two journals of a part are kept."""
    return {"SQLite": str(folder / "journal.sqlite3"), "PostgreSQL": server.new_url() if server is not None else url}


def commits_part(stores: dict[str, JournalStore]) -> None:
    with ExitStack() as stack:
        journals = {name: stack.enter_context(store.open()) for name, store in stores.items()}
        print(f"\n{'':<12}{'facts a commit':>16}{'commits/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'facts/s':>10}")
        for facts in FACTS_A_COMMIT:
            took_ms: dict[str, list[float]] = {name: [] for name in journals}
            for _ in range(ROUNDS):
                for name, journal in journals.items():
                    took_ms[name] += commit_ms(journal, facts)
            for name, took in took_ms.items():
                p50, p99 = statistics.median(took), sorted(took)[int(len(took) * 0.99)]
                row = f"{name:<12}{facts:>16}{1000 / p50:>12.0f}{p50:>9.2f}{p99:>9.2f}{facts * 1000 / p50:>10.0f}"
                print(row, flush=True)


def commit_ms(journal: Journal, facts: int) -> list[float]:
    """Milliseconds for each commit of so many new tasks."""
    seq = journal.last_seq()
    took = []
    for _ in range(COMMITS_A_ROUND):
        specs = [make_spec(f"{seq + number:032x}", metadata={"order": str(seq)}) for number in range(1, facts + 1)]
        records = [Record(seq + 1 + n, time.time(), spec.task_id, Submitted(spec)) for n, spec in enumerate(specs)]
        seq += facts
        tasks = [evolve(None, record) for record in records]
        began_s = time.perf_counter()
        journal.append(records, tasks)
        took.append((time.perf_counter() - began_s) * 1000)
    return took


def posts_part(folder: Path, journals: dict[str, str]) -> None:
    with ExitStack() as stack:
        ports, posts = {}, {}
        for name, journal in journals.items():
            own = folder / name
            own.mkdir()
            service = ServiceProcesses(
                own,
                BROKER_JOURNAL=journal,
                BROKER_MAX_PENDING=UNLIMITED,
                BROKER_MAX_PENDING_PER_USER=UNLIMITED,
            )
            project = service.projects / "project-1"
            project.mkdir()
            stack.enter_context(service.program("broker", "-m", "broker"))
            stack.enter_context(service.program("web", "server.py", "run"))
            service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
            ports[name] = service.ports["WEB_PORT"]
            posts[name] = [post_request(form(project, user)) for user in range(USERS)]
            loaded(ports[name], CONNECTIONS[0], 0.5, posts[name])  # to warm up
        print(f"\n{'':<12}{'connections':>12}{'POST/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>8}")
        for connections in CONNECTIONS:
            found: dict[str, list[Measured]] = {name: [] for name in ports}
            for _ in range(ROUNDS):
                for name, port in ports.items():
                    found[name].append(loaded(port, connections, POST_SECONDS, posts[name]))
            sqlite, postgres = found.values()
            ratios = [a["requests_per_s"] / b["requests_per_s"] for a, b in zip(postgres, sqlite, strict=True)]
            for name, measured in found.items():
                keys = ("requests_per_s", "p50_ms", "p99_ms")
                rate, p50, p99 = (statistics.median(m[key] for m in measured) for key in keys)
                row = f"{name:<12}{connections:>12}{rate:>12.0f}{p50:>9.1f}{p99:>9.1f}"
                print(row + (f"{statistics.median(ratios):>8.2f}" if measured is postgres else ""), flush=True)


def lists_part(stores: dict[str, JournalStore], tasks: int) -> None:
    """Fill both journals, let PostgreSQL tidy up as it does within a minute, and ask both for the same pages."""
    for name, store in stores.items():
        began_s = time.perf_counter()
        with store.open() as journal:
            fill(journal, tasks)
        print(f"{name}: {tasks} tasks filled in {time.perf_counter() - began_s:.0f} s.", flush=True)
    tidy(stores["PostgreSQL"])
    with ExitStack() as stack:
        views = {name: stack.enter_context(closing(store.open_view())) for name, store in stores.items()}
        measure_pages(views)


def measure_pages(views: dict[str, JournalView]) -> None:
    """Print the time and the processor time of a page. The latter says more on a machine that has other work."""
    heads = "".join(f"{name + ' p50 ms':>20}{'CPU ms':>9}" for name in views)
    print(f"\n{'':<26}{'sort':<14}{'tasks':>8}{heads}")
    slowest = dict.fromkeys(views, (0.0, 0.0))
    for title, wanted in made_up_filters().items():
        for order in ORDERS:
            took_ms: dict[str, list[float]] = {name: [] for name in views}
            used_ms = dict.fromkeys(views, 0.0)
            for _ in range(REPEATS):
                for name, view in views.items():
                    used_before_ms, began_s = processor_ms(view), time.perf_counter()
                    with view.snapshot():
                        page = TaskLists(view).page(TasksWanted(1, wanted, order, "", PAGE_TASKS))
                    took_ms[name].append((time.perf_counter() - began_s) * 1000)
                    used_ms[name] += (processor_ms(view) - used_before_ms) / REPEATS
            row = {name: (statistics.median(took), used_ms[name]) for name, took in took_ms.items()}
            slowest = {
                name: (max(slowest[name][0], p50), max(slowest[name][1], cpu)) for name, (p50, cpu) in row.items()
            }
            found = sum(getattr(page, "counts", {}).values())
            figures = "".join(f"{p50:>20.1f}{cpu:>9.1f}" for p50, cpu in row.values())
            print(f"{title:<26}{order:<14}{found:>8}{figures}", flush=True)
    said = (f"{name} {p50:.1f} ms, {cpu:.1f} ms of processor time" for name, (p50, cpu) in slowest.items())
    print(f"Slowest: {'; '.join(said)} (target {TARGET_MS:.0f} ms).")


def processor_ms(view: JournalView) -> float:
    """What this process has used, and the process of the server that reads for it if it runs on this machine."""
    used_ms = time.process_time() * 1000
    backend = getattr(getattr(view, "_db", None), "info", None)
    if backend is not None and psutil.pid_exists(backend.backend_pid):
        used = psutil.Process(backend.backend_pid).cpu_times()
        used_ms += (used.user + used.system) * 1000
    return used_ms


def tidy(store: JournalStore) -> None:
    """What autovacuum does some time after so many tasks have come at once."""
    from broker.postgres_journal.connection import LONG_LIMIT_S
    from broker.postgres_journal.store import PostgresStore

    assert isinstance(store, PostgresStore)
    with store.connected() as connection:
        connection.answer_limit_s = LONG_LIMIT_S
        connection.execute("SET statement_timeout = 0")
        connection.execute("VACUUM ANALYZE")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, help="this part alone")
    parser.add_argument("--url", default="", help="a database of PostgreSQL; with --part")
    parser.add_argument("--tasks", type=int, default=TASKS, help="how many tasks the lists are read from")
    arguments = parser.parse_args()
    if arguments.url and not arguments.part:
        parser.error("--url needs --part, because each part begins with an empty journal.")
    server = None if arguments.url else PostgresServer(fsync="on", full_page_writes="on")
    try:
        for part in [arguments.part] if arguments.part else PARTS:
            with tempfile.TemporaryDirectory() as folder:
                journals = places(Path(folder), server, arguments.url)
                stores = {name: store_at(journal) for name, journal in journals.items()}
                if part == "posts":
                    posts_part(Path(folder), journals)
                elif part == "commits":
                    commits_part(stores)
                else:
                    lists_part(stores, arguments.tasks)
                print(describe_machine(), flush=True)
    finally:
        if server is not None:
            server.remove()


if __name__ == "__main__":
    main()
