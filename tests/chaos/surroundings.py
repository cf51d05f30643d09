"""What faults can break besides processes: small file systems, the cable to the worker's host, and the wall clock.

Each of them needs rights or programs of the machine. Without them its faults are left out, and the report says so.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.cable import CAN_LAY_CABLE, Cable
from tests.process.service_under_test import ServiceUnderTest, service_copy
from tests.process.small_projects import make_digits_project
from tests.wall_clock import CAN_STEP_CLOCK, WallClock

#: There is room for the digits and dozens of models, but a fault can fill it in a moment.
PROJECTS_MB, JOURNAL_MB = 2048, 192
#: How many project folders there are in the data root: p0, p1, …
PROJECTS = 3

CAN_MOUNT = psutil.LINUX and os.geteuid() == 0


def move_worker(cable: Cable, service: ServiceUnderTest) -> None:
    """Make the worker run at the far end of the cable. Call this before the service starts."""
    service.environ |= {"TFMODEL_BROKER_HOST": cable.near_address}
    # A worker on another host does not make keys, so the broker's keys must exist when it starts.
    made = service.program("server.py", "keys", "make")
    assert made.returncode == 0, made.stdout + made.stderr
    command = "python3 -m trainer_worker"
    endpoint = f"tcp://{cable.near_address}:{service.ports['BROKER_WORKER_PORT']}"
    conf = service.root / "supervisord.conf"
    text = conf.read_text()
    assert text.count(command) == 1, "supervisord.conf does not start its workers as this test expects"
    conf.write_text(text.replace(command, f"{' '.join(cable.inside(command))} --broker {endpoint}"))


@dataclass(frozen=True)
class Surroundings:
    """What the faults can break."""

    service: ServiceUnderTest
    cable: Cable | None
    clock: WallClock | None


@contextlib.contextmanager
def running_service() -> Iterator[Surroundings]:
    """Start a copy of the service with projects of digits, and with all surroundings that this machine allows."""
    settings = {"WEB_MIN_FREE_MB": "1", "WORKER_KEEP_MODELS": "5", "WORKER_TASKS_PER_PROCESS": "10"}
    with service_copy(**settings) as service, _surroundings_of(service) as place:
        for number in range(PROJECTS):
            make_digits_project(service.projects / f"p{number}")
        started = service.command("start")
        if started.returncode != 0:
            raise RuntimeError(started.stdout + started.stderr)
        try:
            yield place
        finally:
            service.command("stop")


@contextlib.contextmanager
def _surroundings_of(service: ServiceUnderTest) -> Iterator[Surroundings]:
    """Set up all surroundings that this machine allows, and undo them at the end. Enter before the service starts."""
    with contextlib.ExitStack() as stack:
        cable = clock = None
        if CAN_MOUNT:
            stack.enter_context(_small_file_system(service.projects, PROJECTS_MB))
            stack.enter_context(_small_file_system(service.root / "var", JOURNAL_MB))
        if CAN_LAY_CABLE:
            cable = stack.enter_context(Cable().laid())
            move_worker(cable, service)
        if CAN_STEP_CLOCK:
            clock = WallClock(service.root)
            service.environ |= clock.environ
        yield Surroundings(service, cable, clock)


@contextlib.contextmanager
def _small_file_system(folder: Path, size_mb: int) -> Iterator[None]:
    """Mount a file system in memory at `folder`."""
    folder.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
