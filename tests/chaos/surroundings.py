"""What a fault can reach besides processes: small file systems, the cable to the worker's host, the wall clock.

Each needs something of the machine; where that is missing, its faults are left out and the report says so.
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

#: Room for the digits and some dozens of models; small enough to be filled in a moment.
PROJECTS_MB, JOURNAL_MB = 2048, 192
#: Folders p0, p1, … in the data root.
PROJECTS = 3
CLOCK_SOURCE = Path(__file__).with_name("wall_clock.c")

CAN_MOUNT = psutil.LINUX and os.geteuid() == 0
CAN_CUT_CABLE = CAN_MOUNT and shutil.which("ip") is not None
CAN_STEP_CLOCK = psutil.LINUX and shutil.which("cc") is not None


class Cable:
    """Between this host and a network namespace, which is another host as far as TCP can tell."""

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
        """Neither side is told: packets vanish, connections stay."""
        _run("ip", "link", "set", self._near_end, "down")

    def mend(self) -> None:
        _run("ip", "link", "set", self._near_end, "up")

    def move_worker(self, service: ServiceUnderTest) -> None:
        """Before the service starts: its worker is to run at the far end."""
        service.environ |= {"TFMODEL_BROKER_HOST": "0.0.0.0"}
        # A worker elsewhere makes no keys: those of the broker have to be there when it starts.
        made = service.program("-m", "broker", "keys", "var/keys")
        assert made.returncode == 0, made.stdout + made.stderr
        command = "python3 -m trainer_worker"
        endpoint = f"tcp://{self.near_address}:{service.ports['BROKER_WORKER_PORT']}"
        conf = service.root / "supervisord.conf"
        text = conf.read_text()
        assert text.count(command) == 1, "supervisord.conf starts its workers otherwise than expected"
        conf.write_text(text.replace(command, f"ip netns exec {self.namespace} {command} --broker {endpoint}"))


class WallClock:
    """The service's own wall clock (wall_clock.c): steps as when it is set; the monotonic clock goes on."""

    def __init__(self, folder: Path) -> None:
        self._library, self._offset_file = folder / "wall_clock.so", folder / "clock_offset"
        _run("cc", "-shared", "-fPIC", "-O1", "-o", str(self._library), str(CLOCK_SOURCE))
        self._offset_file.write_bytes(struct.pack("q", 0))

    def set_offset(self, seconds: int) -> None:
        """From the machine's time, for all programs at once. In place: they have mapped the file."""
        with self._offset_file.open("r+b") as file:
            file.write(struct.pack("q", seconds))

    def wind(self, service: ServiceUnderTest) -> None:
        """Before the service starts: all its programs are to look at this clock."""
        service.environ |= {"LD_PRELOAD": str(self._library), "TFM_CLOCK_OFFSET": str(self._offset_file)}


@dataclass(frozen=True)
class Surroundings:
    """Where the faults strike."""

    service: ServiceUnderTest
    cable: Cable | None
    clock: WallClock | None


@contextlib.contextmanager
def running_service() -> Iterator[Surroundings]:
    """A service of its own with digits to train on, in as much of the surroundings as this machine allows."""
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
    """As much as this machine allows; undone on leaving. Enter before the service starts."""
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
    """A file system in memory at `folder`."""
    folder.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
