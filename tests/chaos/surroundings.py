"""What faults can break besides processes: small file systems, the cable to the worker's host, and the wall clock.

Each of them needs rights or programs of the machine. Without them its faults are left out, and the report says so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.process.service_under_test import ServiceUnderTest, service_copy
from tests.process.small_projects import make_digits_project

#: There is room for the digits and dozens of models, but a fault can fill it in a moment.
PROJECTS_MB, JOURNAL_MB = 2048, 192
#: How many project folders there are in the data root: p0, p1, …
PROJECTS = 3
CLOCK_SOURCE = Path(__file__).with_name("wall_clock.c")

CAN_MOUNT = psutil.LINUX and os.geteuid() == 0
CAN_CUT_CABLE = CAN_MOUNT and shutil.which("ip") is not None
CAN_STEP_CLOCK = psutil.LINUX and shutil.which("cc") is not None


class Cable:
    """A virtual cable between this host and a network namespace. To TCP, the namespace is another host."""

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.namespace = f"tfm{number}"
        self.near_address, self._far_address = f"10.213.{number}.1", f"10.213.{number}.2"
        self._near_end, self._far_end = f"tfmn{number}", f"tfmf{number}"

    @contextlib.contextmanager
    def laid(self) -> Iterator[Cable]:
        _run("ip", "netns", "add", self.namespace)
        try:
            far_end = ("peer", "name", self._far_end, "netns", self.namespace)
            _run("ip", "link", "add", self._near_end, "type", "veth", *far_end)
            _run("ip", "addr", "add", f"{self.near_address}/30", "dev", self._near_end)
            _run("ip", "-n", self.namespace, "addr", "add", f"{self._far_address}/30", "dev", self._far_end)
            _run("ip", "-n", self.namespace, "link", "set", self._far_end, "up")
            self.mend()
            yield self
        finally:
            subprocess.run(["ip", "link", "del", self._near_end], check=False, capture_output=True)
            _run("ip", "netns", "del", self.namespace)

    def cut(self) -> None:
        """Drop all packets. Neither side notices, so connections stay open."""
        _run("ip", "link", "set", self._near_end, "down")

    def mend(self) -> None:
        _run("ip", "link", "set", self._near_end, "up")

    def move_worker(self, service: ServiceUnderTest) -> None:
        """Make the worker run in the namespace. Call this before the service starts."""
        service.environ |= {"TFMODEL_BROKER_HOST": "0.0.0.0"}
        # A worker on another host does not make keys, so the broker's keys must exist when it starts.
        made = service.program("-m", "broker", "keys", "var/keys")
        assert made.returncode == 0, made.stdout + made.stderr
        command = "python3 -m trainer_worker"
        endpoint = f"tcp://{self.near_address}:{service.ports['BROKER_WORKER_PORT']}"
        conf = service.root / "supervisord.conf"
        text = conf.read_text()
        assert text.count(command) == 1, "supervisord.conf does not start its workers as this test expects"
        conf.write_text(text.replace(command, f"ip netns exec {self.namespace} {command} --broker {endpoint}"))


class WallClock:
    """A wall clock for the service alone (wall_clock.c). It can step, and the monotonic clock does not change."""

    def __init__(self, folder: Path) -> None:
        self._library, self._offset_file = folder / "wall_clock.so", folder / "clock_offset"
        _run("cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(CLOCK_SOURCE))
        self._offset_file.write_bytes(struct.pack("q", 0))

    def set_offset(self, seconds: int) -> None:
        """Step the clock of all programs to this offset from the machine's time.

        The file is changed in place, because the programs have mapped it into their memory.
        """
        with self._offset_file.open("r+b") as file:
            file.write(struct.pack("q", seconds))

    def wind(self, service: ServiceUnderTest) -> None:
        """Make all programs of the service use this clock. Call this before the service starts."""
        service.environ |= {"LD_PRELOAD": str(self._library), "TFM_CLOCK_OFFSET": str(self._offset_file)}


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
        if CAN_CUT_CABLE:
            cable = stack.enter_context(Cable().laid())
            cable.move_worker(service)
        if CAN_STEP_CLOCK:
            clock = WallClock(service.root)
            clock.wind(service)
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
