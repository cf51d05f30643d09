"""A load generator: keep-alive connections, each with one open request at any time.

It runs as a process of its own, so that it shares no interpreter with the server under test:
    python -m benchmarks.http_load PORT CONNECTIONS SECONDS < requests.json
Reads a JSON list of requests (raw HTTP, as text in which each character stands for a byte), sends them in turn over all
connections, and prints JSON: {"requests_per_s", "p50_ms", "p99_ms"}. Ends with code 1 if any answer was not a 200.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from conf.settings import ROOT

Measured = dict[str, float]

HEADER_END = b"\r\n\r\n"
LENGTH_HEADER = b"content-length:"


class Caller(asyncio.Protocol):
    """One connection. It uses the transport directly, since asyncio's streams would cost more than the server."""

    def __init__(self, requests: Iterator[bytes], latencies_s: list[float]) -> None:
        self._requests = requests
        self._latencies_s = latencies_s
        self._received = b""
        self._sent_at_s = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(HEADER_END)
        if end < 0:
            return
        head = self._received[:end].lower()
        length = int(head.partition(LENGTH_HEADER)[2].partition(b"\r\n")[0])
        if len(self._received) < end + len(HEADER_END) + length:
            return
        self._latencies_s.append(time.perf_counter() - self._sent_at_s)
        if not head.startswith(b"http/1.1 200 "):
            self._end(RuntimeError(f"the answer was {self._received[:500]!r}"))
            return
        self._received = b""
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("the server closed the connection"))

    def stop(self) -> None:
        self._end(None)
        self._transport.abort()

    def _send(self) -> None:
        self._sent_at_s = time.perf_counter()
        self._transport.write(next(self._requests))

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)


async def measure(port: int, connections: int, seconds: float, requests: list[str]) -> dict[str, float]:
    """Measure for some seconds. Raises the first error of any connection."""
    loop = asyncio.get_running_loop()
    turn = itertools.cycle([request.encode("latin-1") for request in requests])
    latencies_s: list[float] = []
    began_s = time.perf_counter()
    callers = [
        (await loop.create_connection(lambda: Caller(turn, latencies_s), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    failed, _ = await asyncio.wait(
        [caller.ended for caller in callers], timeout=seconds, return_when=asyncio.FIRST_EXCEPTION
    )
    took_s = time.perf_counter() - began_s
    for caller in callers:
        caller.stop()
    for ended in failed:
        ended.result()
    percentiles = statistics.quantiles(latencies_s, n=100)
    return {
        "requests_per_s": len(latencies_s) / took_s,
        "p50_ms": percentiles[49] * 1000,
        "p99_ms": percentiles[98] * 1000,
    }


def loaded(port: int, connections: int, seconds: float, requests: list[str]) -> Measured:
    """The same, measured by a process of its own. RuntimeError if it fails."""
    command = [sys.executable, "-m", "benchmarks.http_load", str(port), str(connections), str(seconds)]
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(requests), capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"The load generator failed: {done.stderr.strip()}")
    measured: Measured = json.loads(done.stdout)
    return measured


def main() -> None:
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(asyncio.run(measure(port, connections, seconds, json.load(sys.stdin)))))


if __name__ == "__main__":
    main()
