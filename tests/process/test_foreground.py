"""`start --foreground` as process 1, as in a container: it passes signals on and collects what nobody waits for."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from tests.process.service_under_test import PATIENCE_S, ServiceUnderTest, wait_until

#: A process namespace of its own, in which the next program is process 1.
AS_PROCESS_1 = ["unshare", "--pid", "--fork", "--mount-proc"]


def skip_without_namespaces() -> None:
    for tool in ("unshare", "nsenter"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} (util-linux) is missing")
    if subprocess.run([*AS_PROCESS_1, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may not make a process namespace; root may")


def asleep_or_zombies(parent: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in parent.children():
        with contextlib.suppress(psutil.NoSuchProcess):  # collected between the list and the look
            if child.name() == "sleep" or child.status() == psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def test_as_process_1_it_stops_at_sigterm_and_leaves_no_zombies(stopped: ServiceUnderTest) -> None:
    skip_without_namespaces()
    words = [*AS_PROCESS_1, sys.executable, "server.py", "start", "--foreground"]
    process = subprocess.Popen(words, cwd=stopped.root, env=stopped.environ, stdout=subprocess.DEVNULL)
    try:
        stopped.wait_until_free()
        (first,) = psutil.Process(process.pid).children()
        # Its parent ends at once, so that process 1 has to collect it.
        orphan = ["sh", "-c", "sleep 0.2 & exit 0"]
        subprocess.run(
            ["nsenter", f"--target={first.pid}", "--pid", "--mount", *orphan], check=True, timeout=PATIENCE_S
        )
        # An ended child is a zombie for a moment, until it is collected.
        wait_until(lambda: asleep_or_zombies(first), lambda found: found == [])
        first.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    wait_until(stopped.processes, lambda left: not left)
