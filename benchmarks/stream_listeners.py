"""Many listeners of one event stream. They run in a process of their own, so that they share no interpreter with it.

    python -m benchmarks.stream_listeners PORT COUNT PATH

Connects COUNT times and prints "connected". Each progress is expected to carry the time at which its worker sent it
(CLOCK_MONOTONIC) as the metric `sent`. When stdin ends, prints JSON: for each progress the seconds until the first and
the last listener had it, and how many had it.
"""

from __future__ import annotations

import json
import re
import resource
import select
import socket
import sys
import time
from collections.abc import Iterator

SENT = re.compile(rb'"sent":([0-9.]+)')
READ_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 30.0

#: When a progress was sent: [seconds to the first listener, seconds to the last one, listeners].
Arrivals = dict[str, list[float]]


def connected(port: int, count: int, path: str) -> Iterator[socket.socket]:
    for _ in range(count):
        listener = socket.create_connection(("127.0.0.1", port), CONNECT_TIMEOUT_S)
        listener.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = listener.recv(READ_BYTES)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the answer was {head[:500]!r}")
        listener.setblocking(False)
        yield listener


def note(arrivals: Arrivals, data: bytes, now_s: float) -> None:
    for sent in SENT.findall(data):
        delay_s = now_s - float(sent)
        seen = arrivals.setdefault(sent.decode(), [delay_s, delay_s, 0])
        seen[1] = max(seen[1], delay_s)
        seen[2] += 1


def listen(listeners: dict[int, socket.socket]) -> Arrivals:
    """Read all listeners until stdin ends."""
    arrivals: Arrivals = {}
    poller = select.epoll()
    for descriptor in (*listeners, sys.stdin.fileno()):
        poller.register(descriptor, select.EPOLLIN)
    while True:
        for descriptor, _ in poller.poll():
            if descriptor == sys.stdin.fileno():
                return arrivals
            data = listeners[descriptor].recv(READ_BYTES)
            if not data:
                raise ConnectionError("the server has closed a stream")
            if b'"sent"' in data:
                note(arrivals, data, time.monotonic())


def main() -> None:
    port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listeners = {listener.fileno(): listener for listener in connected(port, count, path)}
    print("connected", flush=True)
    print(json.dumps(listen(listeners)))


if __name__ == "__main__":
    main()
