"""`python -m benchmarks.heartbeats`: how many workers one broker can keep, by what their heartbeats cost it.

A real broker runs behind real sockets. This process stands for many workers: each says Hello, and then sends heartbeats
one after the other, as fast as they are answered. What counts is the broker's processor time for each.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from pathlib import Path

import psutil
import zmq
from rich.console import Console
from rich.table import Table

from benchmarks.machine import describe_machine
from benchmarks.service_processes import ServiceProcesses
from conf.curve import WORKER, local_client_keys
from conf.settings import load
from conf.sockets import connecting_socket
from protocol import messages as m
from protocol import wire

INTERVALS_S = (2.0, 10.0, 30.0)
#: A broker that is busy half of the time answers quickly, and can take bursts.
BUSY_SHARE = 0.5
START_TIMEOUT_S = 60.0
HIGH_WATER_MARK = 1000


class Fleet:
    """Many workers in one process, with a socket each."""

    def __init__(self, service: ServiceProcesses, workers: int) -> None:
        settings = load(service.environ)
        keys = local_client_keys(settings, WORKER)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, workers + 10)
        self._poller = zmq.Poller()
        self._sockets = []
        for _ in range(workers):
            socket = connecting_socket(self._context, zmq.DEALER, keys, HIGH_WATER_MARK, linger_ms=0)
            socket.connect(service.endpoints.worker)
            self._poller.register(socket, zmq.POLLIN)
            self._sockets.append(socket)

    def register(self) -> None:
        """Say Hello until every worker has been welcomed."""
        left = set(self._sockets)
        give_up_at_s = time.monotonic() + START_TIMEOUT_S
        while left:
            if time.monotonic() > give_up_at_s:
                raise RuntimeError(f"{len(left)} workers were not welcomed within {START_TIMEOUT_S:.0f} s")
            for number, socket in enumerate(self._sockets):
                if socket in left:
                    hello = m.Hello(f"w{number}", "s1", "host", ("classification",), ready=False)
                    with contextlib.suppress(zmq.Again):  # It is not connected yet.
                        socket.send_multipart(wire.encode(hello), zmq.NOBLOCK)
            time.sleep(0.2)
            for socket, _ in self._poller.poll(0):
                while socket.poll(0):
                    if isinstance(wire.decode(socket.recv_multipart(), m.BrokerToWorker), m.Welcome):
                        left.discard(socket)

    def beat(self, seconds: float) -> int:
        """Send heartbeats for so long. Returns how many were answered."""
        frames = wire.encode(m.Heartbeat(ready=False, devices=("CPU",), memory_mb=2000.0))
        for socket in self._sockets:
            socket.send_multipart(frames)
        answered, end_at_s = 0, time.monotonic() + seconds
        while time.monotonic() < end_at_s:
            for socket, _ in self._poller.poll(100):
                socket.recv_multipart()
                socket.send_multipart(frames)
                answered += 1
        return answered

    def close(self) -> None:
        self._context.destroy(linger=0)


def measure(workers: int, seconds: float, **settings: str) -> tuple[float, float]:
    """Heartbeats answered a second, and the broker's processor time for each in microseconds."""
    with tempfile.TemporaryDirectory() as folder:
        service = ServiceProcesses(Path(folder), **settings)
        with service.program("broker", "-m", "broker") as process:
            fleet = Fleet(service, workers)
            try:
                fleet.register()
                broker = psutil.Process(process.pid)
                before, began_s = broker.cpu_times(), time.monotonic()
                answered = fleet.beat(seconds)
                after, took_s = broker.cpu_times(), time.monotonic() - began_s
            finally:
                fleet.close()
    spent_s = after.user + after.system - before.user - before.system
    return answered / took_s, spent_s / answered * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heartbeats", description=__doc__)
    parser.add_argument("--workers", type=int, default=300, help="how many sockets send")
    parser.add_argument("--seconds", type=float, default=10.0)
    chosen = parser.parse_args()
    table = Table(title=f"Heartbeats of {chosen.workers} workers, as fast as one broker answers them")
    columns = ("sockets", "a second", "µs of the broker's time", *(f"workers at {each:g} s" for each in INTERVALS_S))
    for column in columns:
        table.add_column(column, justify="right")
    for name, settings in {"Unix sockets": {}, "TCP with CURVE": {"BROKER_HOST": "127.0.0.1"}}.items():
        a_second, each_us = measure(chosen.workers, chosen.seconds, **settings)
        room = [f"{BUSY_SHARE / (each_us / 1e6) * interval_s:,.0f}" for interval_s in INTERVALS_S]
        table.add_row(name, f"{a_second:,.0f}", f"{each_us:.0f}", *room)
    console = Console()
    console.print(table)
    console.print(f"The last columns: so many workers keep the broker busy for {BUSY_SHARE:.0%} of the time.")
    console.print(describe_machine())


if __name__ == "__main__":
    main()
