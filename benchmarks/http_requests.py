"""Requests for benchmarks of the HTTP API, and a line about the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path
from urllib.parse import urlencode

import tornado
import zmq


def machine(folder: Path) -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, load {load}; Python {platform.python_version()}, "
        f"Tornado {tornado.version}, ZeroMQ {zmq.zmq_version()}; fsync {fsync_ms(folder):.2f} ms (median)"
    )


def fsync_ms(folder: Path, repeats: int = 50) -> float:
    """Milliseconds that the disk under `folder` takes to make 4 kB durable. A durable POST cannot be faster."""
    took_s = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(repeats):
            began_s = time.perf_counter()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            took_s.append(time.perf_counter() - began_s)
    return statistics.median(took_s) * 1000


def form(project: Path, user: int) -> str:
    fields = {"userId": f"user-{user}", "projectId": "project-1", "projectDir": str(project)}
    return urlencode({**fields, "trainType": "classification"})


def get_request(task_id: str) -> str:
    return f"GET /?taskId={task_id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def post_request(body: str) -> str:
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}"
