"""The faults: what is done to which process, and when the fault counts as overcome."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import NamedTuple

from tests.cable import CAN_LAY_CABLE
from tests.chaos.surroundings import CAN_MOUNT, Surroundings
from tests.chaos.website import Website
from tests.process.service_under_test import ServiceUnderTest
from tests.wall_clock import CAN_STEP_CLOCK

WORKER = "trainer_worker:trainer_worker_0"

#: When a fault counts as overcome.
NEXT_ATTEMPT = "the next attempt has started"
POST_ANSWERED = "a POST is answered"
GET_ANSWERED = "a GET is answered"
GOES_ON = "the training shows progress again"


class Fault(NamedTuple):
    """One fault.

    inject: injects the fault, and returns when it is over (for a pause, after SIGCONT). overcome: when the fault counts
    as overcome. loses_attempt: whether the running attempt may be lost. within_s: the longest allowed recovery; 0.0
    means no limit. phase: the phase of the training in which the fault is injected, or "" for any.
    """

    name: str
    inject: Callable[[Surroundings], None]
    overcome: str
    loses_attempt: bool
    within_s: float
    phase: str = ""


def pause_for(seconds: float) -> None:
    """Let a fault last. There is no event to wait for."""
    threading.Event().wait(seconds)


def _trainer_pid(service: ServiceUnderTest) -> int:
    trainers = service.trainers_of(service.pid_of(WORKER))
    if not trainers:
        raise LookupError("no trainer process is running")
    return trainers[0].pid


def _kill(program: str) -> Callable[[Surroundings], None]:
    def inject(place: Surroundings) -> None:
        os.kill(place.service.pid_of(program), signal.SIGKILL)

    return inject


def _kill_trainer(place: Surroundings) -> None:
    os.killpg(_trainer_pid(place.service), signal.SIGKILL)


def _pause(program: str, seconds: float) -> Callable[[Surroundings], None]:
    """Pause the program with SIGSTOP for this many seconds."""

    def inject(place: Surroundings) -> None:
        pid = _trainer_pid(place.service) if program == "trainer" else place.service.pid_of(program)
        os.kill(pid, signal.SIGSTOP)
        pause_for(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    return inject


def _restart(program: str) -> Callable[[Surroundings], None]:
    def inject(place: Surroundings) -> None:
        place.service.supervisorctl("restart", program)

    return inject


def _fill_disk(place: Surroundings) -> None:
    """Fill the small file system of the project folders for a second."""
    filler = place.service.projects / "filler"
    free = os.statvfs(place.service.projects)
    with contextlib.suppress(OSError), filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    pause_for(1.0)
    filler.unlink(missing_ok=True)


def _read_only_journal(place: Surroundings) -> None:
    """Make the journal's file system read-only until a POST has been refused, which takes about five seconds."""
    folder = str(place.service.root / "var")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=False, capture_output=True)
    # The broker notices only when it writes. The website does not count this task, because it is refused.
    place.service.call("POST", "/", Website.fields(place.service.projects / "p0", "chaos-probe", 1))
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True, capture_output=True)


def _cut_cable(seconds: float) -> Callable[[Surroundings], None]:
    """Cut the network between the broker's host and the worker's for this many seconds."""

    def inject(place: Surroundings) -> None:
        assert place.cable is not None
        place.cable.cut()
        pause_for(seconds)
        place.cable.mend()

    return inject


def _step_clock(seconds: int) -> Callable[[Surroundings], None]:
    """Step the wall clock of all programs at once, and step it back after three seconds."""

    def inject(place: Surroundings) -> None:
        assert place.clock is not None
        place.clock.set_offset(seconds)
        pause_for(3.0)
        place.clock.set_offset(0)

    return inject


PROCESS_FAULTS = (
    Fault("trainer process: kill -9", _kill_trainer, NEXT_ATTEMPT, True, 3.0),
    Fault("trainer process: kill -9 while it trains", _kill_trainer, NEXT_ATTEMPT, True, 3.0, "train"),
    Fault("trainer process: kill -9 while it exports", _kill_trainer, NEXT_ATTEMPT, True, 3.0, "export"),
    Fault("trainer process: kill -9 while it checks", _kill_trainer, NEXT_ATTEMPT, True, 3.0, "check"),
    Fault("agent: kill -9", _kill(WORKER), NEXT_ATTEMPT, True, 12.0),
    Fault("agent: kill -9 while its trainer exports", _kill(WORKER), NEXT_ATTEMPT, True, 12.0, "export"),
    Fault("broker: kill -9", _kill("broker"), POST_ANSWERED, False, 3.0),
    Fault("front-end: kill -9", _kill("server"), GET_ANSWERED, False, 3.0),
    Fault("trainer process: paused for 2 s", _pause("trainer", 2.0), GOES_ON, False, 0.0),
    Fault("agent: paused for 3 s", _pause(WORKER, 3.0), GOES_ON, False, 0.0),
    Fault("agent: paused longer than its lease, 12 s", _pause(WORKER, 12.0), NEXT_ATTEMPT, True, 0.0),
    Fault("broker: paused for 3 s", _pause("broker", 3.0), POST_ANSWERED, False, 0.0),
    Fault("broker: paused longer than all leases, 12 s", _pause("broker", 12.0), POST_ANSWERED, False, 0.0),
    Fault("front-end: paused for 3 s", _pause("server", 3.0), GET_ANSWERED, False, 0.0),
    Fault("broker: supervisorctl restart", _restart("broker"), POST_ANSWERED, False, 0.0),
    Fault("front-end: supervisorctl restart", _restart("server"), GET_ANSWERED, False, 0.0),
    Fault("worker: supervisorctl restart", _restart(WORKER), NEXT_ATTEMPT, False, 0.0),
)

#: These need the right to mount file systems.
DISK_FAULTS = (
    Fault("project folder: disk full for 1 s", _fill_disk, GET_ANSWERED, True, 0.0),
    Fault("journal: read-only for 5 s", _read_only_journal, POST_ANSWERED, False, 0.0),
)

#: These need network namespaces.
NETWORK_FAULTS = (
    # TCP may need several more seconds to notice that the network works again, and the lease may end meanwhile.
    Fault("network: worker cut off for 4 s", _cut_cable(4.0), GOES_ON, True, 0.0),
    Fault("network: worker cut off longer than its lease, 14 s", _cut_cable(14.0), NEXT_ATTEMPT, True, 0.0),
)

#: These need a C compiler.
CLOCK_FAULTS = (
    Fault("clock: an hour forward, then back", _step_clock(3600), GOES_ON, False, 0.0),
    Fault("clock: an hour back, then forward", _step_clock(-3600), GOES_ON, False, 0.0),
)

_ALLOWED = (
    (PROCESS_FAULTS, True),
    (DISK_FAULTS, CAN_MOUNT),
    (NETWORK_FAULTS, CAN_LAY_CABLE),
    (CLOCK_FAULTS, CAN_STEP_CLOCK),
)
FAULTS = tuple(fault for group, allowed in _ALLOWED for fault in group if allowed)
LEFT_OUT = tuple(fault for group, allowed in _ALLOWED for fault in group if not allowed)
