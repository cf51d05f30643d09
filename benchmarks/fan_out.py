"""How soon an update of one training reaches thousands of listeners, and what that costs the other calls.

    python -m benchmarks.fan_out                     2,000 listeners, about a minute
    python -m benchmarks.fan_out --listeners 500

Targets: every update has reached all listeners within 1 s. Meanwhile GET keeps at least 0.8 and POST at least 0.5 of
the requests a second that bare Tornado has on a quiet machine. A worker reports four times a second, which a front-end
makes two updates of. Listeners, load generator, broker and front-end are processes of their own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.http_requests import form, get_request, load, machine, post_request
from benchmarks.reporting_worker import ReportingWorker
from benchmarks.service_processes import ServiceProcesses, free_ports
from benchmarks.stream_listeners import Arrivals
from conf.settings import ROOT

TARGET_DELAY_S, TARGET_GET, TARGET_POST = 1.0, 0.8, 0.5
LISTENERS = 2000
CONNECTIONS = 16
USERS = 50
READY_TIMEOUT_S = 60.0
#: How long delays are measured while nothing else is asked.
QUIET_S = 10.0
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


def resident_mb(pid: int) -> float:
    """The memory of a process that lies in RAM."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


class Phase:
    """A time in which the delays of updates are counted. Use as a context manager."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self._began_s = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._ended_s = time.monotonic()

    def print_delays(self, arrivals: Arrivals, count: int) -> None:
        """Print a row: from a report of the worker until its update had reached the first and the last listener."""
        own = [arrived for sent, arrived in arrivals.items() if self._began_s < float(sent) < self._ended_s - 1.0]
        complete_ms = [last_s * 1000 for _, last_s, seen in own if seen == count]
        first_ms = statistics.median(first_s * 1000 for first_s, _, _ in own)
        percentiles = statistics.quantiles(complete_ms, n=100)
        print(
            f"{self.name:<16}{len(own):>9}{len(own) - len(complete_ms):>12}{first_ms:>10.0f}{percentiles[49]:>10.0f}"
            f"{percentiles[98]:>10.0f}{max(complete_ms):>10.0f}",
            flush=True,
        )


class Rates:
    """Requests a second, as the median over rounds."""

    def __init__(self, rounds: int, seconds: float, requests: dict[str, list[str]]) -> None:
        """requests: those of GET and those of POST."""
        self._rounds = rounds
        self._seconds = seconds
        self._requests = requests

    def of(self, port: int, call: str) -> float:
        found = [load(port, CONNECTIONS, self._seconds, self._requests[call]) for _ in range(self._rounds)]
        return statistics.median(measured["requests_per_s"] for measured in found)


def fan_out_part(folder: Path, count: int, rounds: int, seconds: float) -> None:
    """Measure delays, memory, and the requests a second with and without listeners."""
    service = ServiceProcesses(
        folder,
        BROKER_MAX_PENDING=UNLIMITED,
        BROKER_MAX_PENDING_PER_USER=UNLIMITED,
        WEB_MAX_STREAMS=str(count + 100),
        WEB_MAX_STREAMS_PER_ADDRESS=str(count + 100),
    )
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
            rates = Rates(rounds, seconds, requests)
            with service.program("bare", "-m", "benchmarks.bare_server", str(bare_port), json.dumps(answers[0])):
                service.wait_for_port(bare_port, READY_TIMEOUT_S)
                measure(service, web.pid, rates, Streams(bare_port, trained, count))


@dataclasses.dataclass(frozen=True)
class Streams:
    """Who listens to what, and where bare Tornado is for comparison."""

    bare_port: int
    task_id: str
    count: int


def measure(service: ServiceProcesses, web_pid: int, rates: Rates, streams: Streams) -> None:
    port, count = service.ports["WEB_PORT"], streams.count
    for each in (streams.bare_port, port):
        rates.of(each, "GET")  # to warm up
    calls = ("GET", "POST")
    bare = {call: rates.of(streams.bare_port, call) for call in calls}
    alone = {call: rates.of(port, call) for call in calls}
    before_mb = resident_mb(web_pid)
    began_s = time.monotonic()
    listeners = Listeners(port, count, f"/v1/tasks/{streams.task_id}/events")
    connected_s = time.monotonic() - began_s
    phases = {name: Phase(name) for name in ("quiet", *calls)}
    with phases["quiet"]:
        time.sleep(QUIET_S)
    memory_mb = resident_mb(web_pid) - before_mb
    listened = {}
    for call in calls:
        with phases[call]:
            listened[call] = rates.of(port, call)
    arrivals = listeners.leave()
    bare_again = {call: rates.of(streams.bare_port, call) for call in calls}
    print(f"\n{count} listeners of one task connected within {connected_s:.1f} s.")
    print(f"Memory of the front-end: {memory_mb * 1024 / count:.1f} kB for each listener, {memory_mb:.0f} MB together.")
    print(f"\n{'meanwhile':<16}{'updates':>9}{'incomplete':>12}{'first ms':>10}{'all p50':>10}{'p99':>10}{'max':>10}")
    for phase in phases.values():
        phase.print_delays(arrivals, count)
    print(f"\n{'':<6}{'bare':>8}{'again':>8}{'alone':>8}{'ratio':>7}{'listeners':>11}{'ratio':>7}{'target':>8}")
    for call, target in zip(calls, (TARGET_GET, TARGET_POST), strict=True):
        both = statistics.mean((bare[call], bare_again[call]))
        print(
            f"{call:<6}{bare[call]:>8.0f}{bare_again[call]:>8.0f}{alone[call]:>8.0f}{alone[call] / both:>7.2f}"
            f"{listened[call]:>11.0f}{listened[call] / both:>7.2f}{target:>8.1f}",
            flush=True,
        )


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
