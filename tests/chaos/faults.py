"""The faults: what is done to which process, and when it counts as overcome."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import NamedTuple

import psutil

from tests.chaos.website import Website
from tests.process.service_under_test import ServiceUnderTest

WORKER = "trainer_worker:trainer_worker_0"

#: Overcome when …
NEXT_ATTEMPT = "the next attempt has started"
POST_ANSWERED = "a POST is answered"
GET_ANSWERED = "a GET is answered"
GOES_ON = "the training shows progress again"


class Fault(NamedTuple):
    """inject: does it, and returns once it is done (after SIGCONT, for a pause).

    loses_attempt: whether the running attempt is lost by it. within_s: what overcoming it may take, 0.0 for no limit.
    """

    name: str
    inject: Callable[[ServiceUnderTest], None]
    overcome: str
    loses_attempt: bool
    within_s: float


def pause_for(seconds: float) -> None:
    """A fault that lasts: nothing can be waited for."""
    threading.Event().wait(seconds)


def _trainer_pid(service: ServiceUnderTest) -> int:
    trainers = service.trainers_of(service.pid_of(WORKER))
    if not trainers:
        raise LookupError("no trainer process is running")
    return trainers[0].pid


def _kill(program: str) -> Callable[[ServiceUnderTest], None]:
    def inject(service: ServiceUnderTest) -> None:
        os.kill(service.pid_of(program), signal.SIGKILL)

    return inject


def _kill_trainer(service: ServiceUnderTest) -> None:
    os.killpg(_trainer_pid(service), signal.SIGKILL)


def _pause(program: str, seconds: float) -> Callable[[ServiceUnderTest], None]:
    """SIGSTOP, and SIGCONT after so many seconds."""

    def inject(service: ServiceUnderTest) -> None:
        pid = _trainer_pid(service) if program == "trainer" else service.pid_of(program)
        os.kill(pid, signal.SIGSTOP)
        pause_for(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    return inject


def _restart(program: str) -> Callable[[ServiceUnderTest], None]:
    def inject(service: ServiceUnderTest) -> None:
        service.supervisorctl("restart", program)

    return inject


def _fill_disk(service: ServiceUnderTest) -> None:
    """No space in the project folders for a second (they lie on a small file system of their own)."""
    filler = service.projects / "filler"
    free = os.statvfs(service.projects)
    with contextlib.suppress(OSError), filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
    pause_for(1.0)
    filler.unlink(missing_ok=True)


def _read_only_journal(service: ServiceUnderTest) -> None:
    """The journal's file system takes no writes until a POST has been refused for it, about five seconds."""
    folder = str(service.root / "var")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=False, capture_output=True)
    # It shows only when it is written to. The website does not count this task: it is refused.
    service.call("POST", "/", Website.fields(service.projects / "p0", "chaos-probe"))
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True, capture_output=True)


def _can_mount() -> bool:
    return os.geteuid() == 0 and psutil.LINUX


PROCESS_FAULTS = (
    Fault("trainer process: kill -9", _kill_trainer, NEXT_ATTEMPT, True, 3.0),
    Fault("agent: kill -9", _kill(WORKER), NEXT_ATTEMPT, True, 12.0),
    Fault("broker: kill -9", _kill("broker"), POST_ANSWERED, False, 3.0),
    Fault("front-end: kill -9", _kill("server"), GET_ANSWERED, False, 3.0),
    Fault("trainer process: stopped for 2 s", _pause("trainer", 2.0), GOES_ON, False, 0.0),
    Fault("agent: stopped for 3 s", _pause(WORKER, 3.0), GOES_ON, False, 0.0),
    Fault("agent: stopped past its lease, 12 s", _pause(WORKER, 12.0), NEXT_ATTEMPT, True, 0.0),
    Fault("broker: stopped for 3 s", _pause("broker", 3.0), POST_ANSWERED, False, 0.0),
    Fault("broker: stopped past all leases, 12 s", _pause("broker", 12.0), POST_ANSWERED, False, 0.0),
    Fault("front-end: stopped for 3 s", _pause("server", 3.0), GET_ANSWERED, False, 0.0),
    Fault("broker: supervisorctl restart", _restart("broker"), POST_ANSWERED, False, 0.0),
    Fault("front-end: supervisorctl restart", _restart("server"), GET_ANSWERED, False, 0.0),
    Fault("worker: supervisorctl restart", _restart(WORKER), NEXT_ATTEMPT, False, 0.0),
)

#: These need the right to mount.
DISK_FAULTS = (
    Fault("project folder: disk full for 1 s", _fill_disk, GET_ANSWERED, True, 0.0),
    Fault("journal: read-only for 5 s", _read_only_journal, POST_ANSWERED, False, 0.0),
)

FAULTS = PROCESS_FAULTS + DISK_FAULTS if _can_mount() else PROCESS_FAULTS
