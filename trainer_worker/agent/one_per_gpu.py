"""One worker for each GPU: a small parent that starts them, passes signals on, and ends when they have ended."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from conf.parent_process import end_with_parent
from conf.settings import EXIT_BAD_SETTINGS
from conf.worker_settings import ALL, AUTO, WorkerSettings
from trainer_worker.agent.gpus import ORDER, VISIBLE, Gpu

log = logging.getLogger("worker")

#: A worker that ended by itself is started again after this long.
RESTART_DELAY_S = 5.0
#: How long the parent sleeps if nothing happens.
LONGEST_WAIT_S = 60.0
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
WATCHED = {*STOP_SIGNALS, signal.SIGCHLD}


class Program(NamedTuple):
    """What starts one worker. name: of the worker. changes: of the environment."""

    name: str
    command: Sequence[str]
    changes: Mapping[str, str]


def gpus_of(settings: WorkerSettings, found: Sequence[Gpu]) -> list[Gpu]:
    """The GPUs that get a worker each; [] for one worker that sees all devices. found: those of this machine.

    The setting may also name GPUs that the driver does not tell of. TensorFlow then says whether they are there.
    """
    if settings.devices == ALL:
        return []
    if settings.devices == AUTO:
        return list(found) if len(found) > 1 else []
    return [
        next((gpu for gpu in found if gpu.is_named(device)), Gpu(str(number), device, ""))
        for number, device in enumerate(settings.named_devices)
    ]


def programs_for(gpus: Sequence[Gpu], name: str, words: Sequence[str], threads: int) -> list[Program]:
    """What starts a worker for each GPU. words: their arguments. threads: those of the machine, which they share."""
    share = {"TFMODEL_WORKER_THREADS": str(max(1, threads // len(gpus))), "TFMODEL_WORKER_DEVICES": ALL}
    return [
        Program(
            f"{name}-gpu{gpu.number}",
            (sys.executable, "-m", "trainer_worker", "--name", f"{name}-gpu{gpu.number}", *words),
            {**ORDER, **share, VISIBLE: gpu.uuid},
        )
        for gpu in gpus
    ]


class OnePerGpu:
    """The parent. It has one thread and no sockets, so nothing in it can hang."""

    def __init__(self, programs: Sequence[Program], restart_delay_s: float = RESTART_DELAY_S) -> None:
        self._programs = {program.name: program for program in programs}
        self._restart_delay_s = restart_delay_s
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        #: When a worker that has ended is started again, in monotonic seconds.
        self._due_s = dict.fromkeys(self._programs, 0.0)
        self._leaving = False
        self._exit_code = 0

    def run(self) -> int:
        """Keep all workers running until SIGTERM or SIGINT, or until none of them can run. Returns the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        while self._running or self._due_s:
            self._start_those_due()
            received = signal.sigtimedwait(WATCHED, self._wait_s())
            if received is not None and received.si_signo in STOP_SIGNALS:
                self._leaving = True
                self._due_s.clear()
                for worker in self._running.values():
                    worker.send_signal(received.si_signo)
            self._note_ended()
        return self._exit_code

    def _start_those_due(self) -> None:
        for name in [name for name, due_s in self._due_s.items() if due_s <= time.monotonic()]:
            del self._due_s[name]
            program = self._programs[name]
            worker = subprocess.Popen(program.command, env={**os.environ, **program.changes}, preexec_fn=_follow_parent)
            self._running[name] = worker
            log.info("action=worker.spawned name=%s pid=%d", name, worker.pid)

    def _wait_s(self) -> float:
        soonest_s = min(self._due_s.values(), default=time.monotonic() + LONGEST_WAIT_S)
        return max(0.0, soonest_s - time.monotonic())

    def _note_ended(self) -> None:
        for name, worker in list(self._running.items()):
            code = worker.poll()
            if code is None:
                continue
            del self._running[name]
            log.info("action=worker.ended name=%s code=%d", name, code)
            if code == EXIT_BAD_SETTINGS:
                self._exit_code = code  # Only a person can help this one.
            elif not self._leaving:
                self._due_s[name] = time.monotonic() + self._restart_delay_s


def _follow_parent() -> None:
    """In a new worker: take signals again, and ask Linux for a SIGTERM when the parent dies."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    end_with_parent(signal.SIGTERM)
