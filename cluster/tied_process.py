"""Run a command that ends with the process that has started it: `python -m cluster.tied_process PARENT_PID COMMAND…`.

When its actor or its node's Ray ends in whatever way, a worker must neither go on nor lose its task. Linux then sends
SIGTERM to the child, which hands its task back and leaves. Ray kills the direct children of an actor and its process
group with SIGKILL, so two processes stand between actor and worker: one that may be killed, and the keeper, which has
its own group and sees to it that the worker ends.

An actor does not always end with its node's raylet: Ray takes a raylet that has ended for alive until its parent has
asked for its exit code, and some parents never ask. So the keeper looks after the raylet itself.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from typing import NoReturn, Protocol

import psutil

from conf.parent_process import end_with_parent
from conf.process_end import is_running

#: Where Ray tells its processes the number of their node's raylet.
RAYLET_VARIABLE = "RAY_RAYLET_PID"
#: The signals that tell a worker to end.
ORDERS = (signal.SIGTERM, signal.SIGINT)
#: The signals that a keeper sleeps for. SIGCHLD says that its child has ended.
WATCHED = (*ORDERS, signal.SIGCHLD)
#: How often to look whether the raylet still runs. docs/cluster.md names these two.
LOOK_INTERVAL_S = 1.0
#: A worker that was told to end hands back its task and is gone within a few seconds. After this long it is killed.
END_TIMEOUT_S = 15.0


class Child(Protocol):
    """What is needed of subprocess.Popen."""

    def poll(self) -> int | None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def tie_to_parent(parent_pid: int) -> None:
    """From now on, the end of the parent brings this process a SIGTERM. Ends it at once if the parent has ended."""
    end_with_parent(signal.SIGTERM)
    if os.getppid() != parent_pid:
        os._exit(1)


class Tie:
    """A child that ends with the raylet, and within END_TIMEOUT_S after it was told to."""

    def __init__(self, child: Child, raylet: psutil.Process | None) -> None:
        """raylet: None if there is none to look after."""
        self._child = child
        self._raylet = raylet
        self._told_at_s: float | None = None

    def tell(self) -> None:
        """Have the child end."""
        if self._told_at_s is None:
            self._told_at_s = time.monotonic()
        self._child.terminate()

    def wait(self) -> int:
        """The exit code of the child. WATCHED must be blocked, so that none of them is lost between two pauses."""
        while (code := self._child.poll()) is None:
            came = signal.sigtimedwait(WATCHED, LOOK_INTERVAL_S)
            if came is not None and came.si_signo in ORDERS:
                self.tell()
            self.look(time.monotonic())
        return code

    def look(self, now_s: float) -> None:
        """Tell the child to end if the raylet has ended, and kill one that was told END_TIMEOUT_S ago."""
        if self._told_at_s is None:
            if self._raylet is not None and not is_running(self._raylet):
                self.tell()
        elif now_s - self._told_at_s >= END_TIMEOUT_S:
            self._child.kill()


def run(parent_pid: int, command: list[str], raylet_pid: int | None) -> int:
    """Run the command in a keeper. Returns its exit code, or minus the number of the signal that has killed it."""
    tie_to_parent(parent_pid)
    own_pid = os.getpid()
    keeper_pid = os.fork()
    if not keeper_pid:
        os.setsid()
        leave_with(keep(own_pid, command, raylet_pid))

    def forward(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper_pid, signal.SIGTERM)

    for number in ORDERS:
        signal.signal(number, forward)
    return os.waitstatus_to_exitcode(os.waitpid(keeper_pid, 0)[1])


def keep(parent_pid: int, command: list[str], raylet_pid: int | None) -> int:
    """Run the command, and end it with the parent or the raylet. Returns as `run` does."""
    tie_to_parent(parent_pid)
    try:
        raylet = None if raylet_pid is None else psutil.Process(raylet_pid)
    except psutil.NoSuchProcess:
        return 1  # The raylet has ended before it could be watched.
    # An order that comes before there is a child to end waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    # This process has one thread, so it may run code between fork and exec.
    tie_child = functools.partial(begin_child, os.getpid())
    return Tie(subprocess.Popen(command, preexec_fn=tie_child, start_new_session=True), raylet).wait()


def begin_child(parent_pid: int) -> None:
    """What the child does before the command: it ends with its parent, and no signal waits."""
    tie_to_parent(parent_pid)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)


def leave_with(code: int) -> NoReturn:
    """End with the exit code of the command, as a shell does if a signal has killed it."""
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    given = os.environ.get(RAYLET_VARIABLE, "")
    leave_with(run(int(sys.argv[1]), sys.argv[2:], int(given) if given else None))
