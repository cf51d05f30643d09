"""Starts and uses the processes that run exported files. Each process has loaded one runtime.

A process is started when it is first needed, or before, and kept from task to task. It ends when the socket between the
trainer process and it closes. Why there are such processes: docs/choices.md, "Files are checked in a process of their
own".
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer_worker.exporting.formats import FORMATS, runtime_of

ROOT = Path(__file__).resolve().parents[2]

#: Pictures that are sent at once: enough to keep the cores busy, few enough for the memory of a decoder's feature maps.
BATCH = 16
#: A process whose socket has closed still finishes its current batch; after this time it is killed.
END_WITHIN_S = 5.0

Outputs = npt.NDArray[np.float32]


class CannotRunError(Exception):
    """The runtime can't load or run a file. The message says why."""


class ScoringProcess:
    """One runtime in a process of its own."""

    def __init__(self, runtime: str, threads: int) -> None:
        ours, theirs = socket.socketpair()
        # No GPU: the trainer process holds its memory, and users' phones and browsers have other GPUs anyway.
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trainer_worker.exporting.runtimes", runtime, str(theirs.fileno()), str(threads)],
            cwd=ROOT,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self._pipe = Connection(ours.detach())

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self._process.poll() is None

    def load(self, path: Path) -> None:
        """Get a file ready to run. Raises CannotRunError."""
        self._ask(str(path.resolve()))

    def run(self, pictures: npt.NDArray[Any]) -> tuple[Outputs, float]:
        """Outputs for pictures (n, S, S, 3), and the seconds that they took. Raises CannotRunError."""
        outputs, seconds = self._ask(pictures)
        return outputs, seconds

    def forget(self) -> None:
        """Make the process drop the file."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)

    def hang_up(self) -> None:
        """Close the socket. The process then ends by itself, as it also does when the trainer process dies."""
        self._pipe.close()

    def wait(self, timeout_s: float) -> int:
        """Wait for the process to end; returns its exit code."""
        return self._process.wait(timeout_s)

    def close(self) -> None:
        """End the process, also in the middle of a file."""
        self._process.kill()
        self._end()

    def _end(self) -> int:
        """Close the socket and return the exit code; kills the process if it does not end by itself."""
        self.hang_up()
        try:
            return self.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _ask(self, message: Any) -> Any:
        try:
            self._pipe.send(message)
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise CannotRunError(f"the process that ran it ended with code {self._end()}") from error
        if isinstance(answer, str):
            raise CannotRunError(answer)
        return answer


class ScoringProcesses:
    """At most one process for each runtime. It has one file at a time; callers in other threads wait for their turn.

    Processes of different runtimes can load files at the same time. But only one of them runs pictures at a time,
    because the seconds are measured.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._processes: dict[str, ScoringProcess] = {}
        self._starting = threading.Lock()
        self._in_use = {row.runtime: threading.Lock() for row in FORMATS.values()}
        self._measuring = threading.Lock()

    def start(self, runtime: str) -> ScoringProcess:
        """The process of a runtime (a key of MODULES in runtimes/__main__.py); started if it is not running."""
        with self._starting:
            process = self._processes.get(runtime)
            if process is None or not process.alive():
                process = self._processes[runtime] = ScoringProcess(runtime, self._threads)
            return process

    def outputs(self, path: Path, pictures: npt.NDArray[Any]) -> Iterator[tuple[Outputs, float]]:
        """Run a file on pictures (n, S, S, 3), n >= 1. Yields the outputs of each batch and the seconds that it took.

        The seconds exclude loading and what a runtime prepares at its first run, for one batch at least. Raises
        CannotRunError.
        """
        runtime = runtime_of(path)
        with self._in_use[runtime]:
            # Not before this call has its turn: the file before may have ended the process.
            process = self.start(runtime)
            try:
                process.load(path)
                # TensorFlow prepares itself for each size of a batch anew. Of two full batches, the first one does it.
                process.run(pictures[:1] if len(pictures) >= 2 * BATCH else pictures[:BATCH])
                for start in range(0, len(pictures), BATCH):
                    with self._measuring:
                        measured = process.run(pictures[start : start + BATCH])
                    yield measured
            finally:
                process.forget()

    def close(self) -> None:
        """End all processes. Calls that are running on them raise CannotRunError; those that wait start new ones."""
        with self._starting:
            for process in self._processes.values():
                process.close()
            self._processes.clear()


@functools.cache
def kept_processes(threads: int) -> ScoringProcesses:
    """The processes of this trainer process. They are kept, so the next task finds their runtimes loaded."""
    return ScoringProcesses(threads)


def load_predictor(path: Path, threads: int) -> Callable[[npt.NDArray[Any]], Outputs]:
    """A function from pictures (n, S, S, 3), n >= 1, to outputs (n, ...), run in a process of its own.

    Raises ValueError for the name of a file that is not an exported one; the function raises CannotRunError.
    """
    runtime_of(path)
    return lambda pictures: np.concatenate([part for part, _ in kept_processes(threads).outputs(path, pictures)])
