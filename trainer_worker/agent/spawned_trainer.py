"""A trainer process as the agent sees it: starts it, talks to it, signals it and describes how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from protocol import wire
from protocol.message import Message
from protocol.pipe_messages import TrainerToAgent
from trainer_worker.training.settings import TrainerSettings

ROOT = Path(__file__).resolve().parents[2]


class ProcessGone(Exception):  # noqa: N818 - an end, not always an error
    """The trainer process has closed its end of the pipe."""


class SpawnedTrainer:
    """One child process in a process group of its own, with a message pipe."""

    def __init__(self, settings: TrainerSettings) -> None:
        """Spawn `python -m trainer_worker.training.child`. It is never forked, because a forked TensorFlow hangs."""
        ours, theirs = socket.socketpair()
        arguments = [str(theirs.fileno()), str(os.getpid()), settings.packed()]
        # Keeps TensorFlow's banners, but not its errors, out of the operator's log.
        environment = {"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trainer_worker.training.child", *arguments],
            cwd=ROOT,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self._pipe = Connection(ours.detach())
        self._signals_sent: list[signal.Signals] = []
        self._peak_rss_mb = 0.0

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        return self._pipe.fileno()

    def messages(self) -> list[TrainerToAgent]:
        """All messages that have arrived. Raises ProcessGone when the pipe is closed and empty."""
        received: list[TrainerToAgent] = []
        try:
            while self._pipe.poll():
                received.append(wire.unpack(self._pipe.recv_bytes(), TrainerToAgent))
        except (EOFError, OSError) as error:
            if not received:
                raise ProcessGone from error
        return received

    def tell(self, message: Message) -> None:
        """Send a message. If the process is gone, reading its pipe will show that."""
        with contextlib.suppress(OSError):
            self._pipe.send_bytes(wire.pack(message))

    def terminate(self, force: bool) -> None:
        """Send SIGTERM, or SIGKILL if force, to the whole process group."""
        number = signal.SIGKILL if force else signal.SIGTERM
        self._signals_sent.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def sample_memory(self) -> float:
        """The megabytes that it holds now. The peak helps to explain a kill."""
        now_mb = rss_mb(self.pid)
        self._peak_rss_mb = max(self._peak_rss_mb, now_mb)
        return now_mb

    def end(self) -> str:
        """Close the pipe, kill and reap what is left, and return how the process ended (see describe_end)."""
        self._pipe.close()
        try:
            returncode = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self.terminate(force=True)
            returncode = self._process.wait()
        # A library may have started children, which are in the same process group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return describe_end(returncode, self._signals_sent, self._peak_rss_mb)


def rss_mb(pid: int) -> float:
    """The megabytes of memory that a process holds; 0.0 if there is no such process."""
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_info().rss) / 2**20
    return 0.0


def describe_end(returncode: int, signals_sent: list[signal.Signals], peak_rss_mb: float) -> str:
    """How a process ended, in words that continue the sentence "the trainer process …"."""
    memory = f" at {peak_rss_mb / 1024:.1f} GB" if peak_rss_mb else ""
    if returncode >= 0:
        return f"exited with code {returncode}{memory}"
    number = -returncode
    # Most real-time signals have no name in Python.
    name = signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"
    if number in signals_sent:
        return f"was stopped with {name}{memory}"
    probably = ", probably out of memory" if number == signal.SIGKILL else ""
    return f"was killed by {name}{memory}{probably}"
