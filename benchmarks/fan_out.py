"""How soon an update of one training reaches thousands of listeners, and what that costs the other calls.

    python -m benchmarks.fan_out                     2,000 listeners, about a minute
    python -m benchmarks.fan_out --listeners 500

Targets: every update has reached all listeners within 1 s. Meanwhile GET keeps at least 0.8 and POST at least 0.5 of
the requests a second that bare Tornado has on a quiet machine. A worker reports four times a second, which a front-end
makes two updates of. Listeners, load generator, broker and front-end are processes of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.http_load import loaded
from benchmarks.http_requests import form, get_request, machine, post_request
from benchmarks.reporting_worker import ReportingWorker
from benchmarks.service_processes import ServiceProcesses
from benchmarks.stream_listeners import Arrivals
from conf.settings import ROOT
from tests.free_ports import free_ports

TARGET_DELAY_S = 1.0
#: The share of the requests a second of bare Tornado.
TARGETS = {"GET": 0.8, "POST": 0.5}
CALLS = tuple(TARGETS)
QUIET = "nothing else"
LISTENERS = 2000
CONNECTIONS = 16
USERS = 50
READY_TIMEOUT_S = 60.0
#: How long delays are measured while nothing else is asked.
QUIET_S = 6.0
UNLIMITED = "10000000"


class Listeners:
    """A process with many listeners of one stream."""

    def __init__(self, port: int, count: int, path: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stream_listeners", str(port), str(count), path],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("The listeners could not connect; their error is above.")

    def leave(self) -> Arrivals:
        """Close all connections. Returns when each update had arrived."""
        output, _ = self._process.communicate(b"")
        if self._process.returncode != 0:
            raise RuntimeError("A listener has failed; its error is above.")
        arrivals: Arrivals = json.loads(output)
        return arrivals


def processor_s(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """The memory of a process that lies in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclasses.dataclass(frozen=True)
class Place:
    """What is measured: the front-end and its process, bare Tornado, the task, and requests by method."""

    port: int
    web_pid: int
    bare_port: int
    task_id: str
    requests: dict[str, list[str]]


@dataclasses.dataclass
class Found:
    """What one round has found. rates: requests a second by server and method. delays_ms: by what else was going on."""

    rates: dict[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    delays_ms: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    first_ms: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    incomplete: int = 0
    connected_s: float = 0.0
    memory_kb: float = 0.0
    processor: float = 0.0


def rate(place: Place, port: int, call: str, seconds: float) -> float:
    return loaded(port, CONNECTIONS, seconds, place.requests[call])["requests_per_s"]


def measure(place: Place, count: int, seconds: float) -> Found:
    """One round: bare Tornado, the front-end alone, and the front-end with listeners."""
    found = Found()
    for server, port in (("bare", place.bare_port), ("alone", place.port)):
        for call in CALLS:
            found.rates[server, call] = rate(place, port, call, seconds)
    before_mb, began_s = resident_mb(place.web_pid), time.monotonic()
    listeners = Listeners(place.port, count, f"/v1/tasks/{place.task_id}/events")
    found.connected_s = time.monotonic() - began_s
    spans = {QUIET: (time.monotonic(), time.monotonic() + QUIET_S)}
    used_s = processor_s(place.web_pid)
    time.sleep(QUIET_S)
    found.processor = (processor_s(place.web_pid) - used_s) / QUIET_S
    found.memory_kb = (resident_mb(place.web_pid) - before_mb) * 1024 / count
    for call in CALLS:
        began_s = time.monotonic()
        found.rates["listeners", call] = rate(place, place.port, call, seconds)
        spans[call] = (began_s, time.monotonic())
    note_delays(found, listeners.leave(), spans, count)
    return found


def note_delays(found: Found, arrivals: Arrivals, spans: dict[str, tuple[float, float]], count: int) -> None:
    """The last second of a span is left out: its updates may have been on their way when the next one began."""
    for name, (began_s, ended_s) in spans.items():
        own = [arrived for sent, arrived in arrivals.items() if began_s < float(sent) < ended_s - 1.0]
        found.first_ms[name] = [first_s * 1000 for first_s, _, _ in own]
        found.delays_ms[name] = [last_s * 1000 for _, last_s, seen in own if seen == count]
        found.incomplete += len(own) - len(found.delays_ms[name])


def print_found(rounds: list[Found], count: int) -> None:
    connected_s = statistics.median(found.connected_s for found in rounds)
    processor = statistics.median(found.processor for found in rounds)
    print(f"\n{count} listeners of one task connect within {connected_s:.1f} s; medians of {len(rounds)} rounds:")
    print(f"Memory of the front-end for each of them, in the first round: {rounds[0].memory_kb:.1f} kB.")
    print(f"Processor of the front-end while nothing else is asked: {processor:.0%} of a core.")
    print(f"Updates that did not reach all of them: {sum(found.incomplete for found in rounds)}.")
    print(f"\n{'ms until':<16}{'updates':>9}{'first':>8}{'all: p50':>10}{'p99':>8}{'max':>8}{'target':>8}")
    for name in (QUIET, *CALLS):
        firsts = [ms for found in rounds for ms in found.first_ms[name]]
        delays = [ms for found in rounds for ms in found.delays_ms[name]]
        p50, p99 = (statistics.quantiles(delays, n=100, method="inclusive")[index] for index in (49, 98))
        row = f"{name:<16}{len(delays):>9}{statistics.median(firsts):>8.0f}{p50:>10.0f}{p99:>8.0f}{max(delays):>8.0f}"
        print(f"{row}{TARGET_DELAY_S * 1000:>8.0f}")
    print(f"\n{'requests/s':<12}{'bare':>8}{'alone':>8}{'ratio':>7}{'listeners':>11}{'ratio':>7}{'target':>8}")
    for call, target in TARGETS.items():
        rates = {
            server: statistics.median(found.rates[server, call] for found in rounds)
            for server in ("bare", "alone", "listeners")
        }
        alone, listened = (
            statistics.median(found.rates[server, call] / found.rates["bare", call] for found in rounds)
            for server in ("alone", "listeners")
        )
        print(
            f"{call:<12}{rates['bare']:>8.0f}{rates['alone']:>8.0f}{alone:>7.2f}"
            f"{rates['listeners']:>11.0f}{listened:>7.2f}{target:>8.1f}",
            flush=True,
        )


@contextlib.contextmanager
def running_place(service: ServiceProcesses) -> Iterator[Place]:
    """A broker, a front-end, a worker that reports progress of one task, and a bare Tornado beside them, all warm."""
    project = service.projects / "project-1"
    project.mkdir()
    bare_port = free_ports(1)[0]
    with service.program("broker", "-m", "broker"), service.program("web", "server.py", "run") as web:
        service.wait_for("/readyz", "pendingTasks", READY_TIMEOUT_S)
        with ReportingWorker(service.endpoints):
            trained = service.post(project)
            service.wait_for(f"/?taskId={trained}", "progress", READY_TIMEOUT_S)
            answers = [service.call("POST", "/", form(project, user))[1] for user in range(USERS)]
            requests = {
                "GET": [get_request(answer["taskId"]) for answer in answers],
                "POST": [post_request(form(project, user)) for user in range(USERS)],
            }
            with service.program("bare", "-m", "benchmarks.bare_server", str(bare_port), json.dumps(answers[0])):
                service.wait_for_port(bare_port, READY_TIMEOUT_S)
                place = Place(service.ports["WEB_PORT"], web.pid, bare_port, trained, requests)
                for port in (bare_port, place.port):
                    rate(place, port, "GET", 0.5)  # to warm up
                yield place


def fan_out_part(folder: Path, count: int, rounds: int, seconds: float) -> None:
    """Measure delays, memory, and the requests a second with and without listeners."""
    service = ServiceProcesses(
        folder,
        BROKER_MAX_PENDING=UNLIMITED,
        BROKER_MAX_PENDING_PER_USER=UNLIMITED,
        WEB_MAX_STREAMS=str(count + 100),
        WEB_MAX_STREAMS_PER_ADDRESS=str(count + 100),
    )
    with running_place(service) as place:
        print_found([measure(place, count, seconds) for _ in range(rounds)], count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--rounds", type=int, default=3, help="rounds for each figure")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(machine(Path(folder)))
        fan_out_part(Path(folder), arguments.listeners, arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
