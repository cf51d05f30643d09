"""Run a command that ends with the process that has started it: `python -m cluster.tied_process PARENT_PID COMMAND…`.

When its actor or its node's Ray ends in whatever way, a worker must neither go on nor lose its task. Linux then sends
SIGTERM to the child, which hands its task back and leaves. Ray kills the direct children of an actor with SIGKILL, so
this process stands between actor and worker.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from conf.parent_process import end_with_parent

#: A worker that was told to end hands back its task and is gone within a few seconds.
END_TIMEOUT_S = 15.0


def tie_to_parent() -> None:
    """From now on, the end of the parent brings this process a SIGTERM."""
    end_with_parent(signal.SIGTERM)


def run(parent_pid: int, command: list[str]) -> int:
    """Returns the exit code of the command, or minus the number of the signal that has killed it."""
    tie_to_parent()
    if os.getppid() != parent_pid:
        return 1  # The parent has ended before it could be watched.
    # This process has one thread, so it may run code between fork and exec.
    child = subprocess.Popen(command, preexec_fn=tie_to_parent, start_new_session=True)
    ordered = False

    def forward(*_: object) -> None:
        nonlocal ordered
        ordered = True
        child.terminate()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    while True:
        try:
            return child.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            if ordered:
                child.kill()


if __name__ == "__main__":
    code = run(int(sys.argv[1]), sys.argv[2:])
    sys.exit(code if code >= 0 else 128 - code)
