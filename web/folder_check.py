"""Checks a folder without training on it, in a process of its own.

A folder may be slow, huge or hostile, so the front-end never looks into one itself. The checker process has limits on
its time and memory; nothing that happens in it harms the front-end.
"""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import logging
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from conf.settings import ROOT
from protocol.data_report import DataReport
from protocol.folder_check import CheckOrder
from protocol.task import TaskSpec
from web.answers.refusal import Refusal

log = logging.getLogger("web")

#: Checks that run side by side, and calls that may wait for their turn.
MOST_AT_ONCE = 2
MOST_WAITING = 20
#: A checker that takes longer is killed. It looks at names first and gives up on headers in time by itself.
TIMEOUT_S = 20.0
#: Headers of pictures are read until so long after the start of the process. The answer should come within a second.
HEADERS_S = 0.7
#: Threads for linear algebra, of which the checker does none. Each would take of the process's limited memory.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


class FolderChecks:
    """Runs the checker for one call after the other."""

    def __init__(self, command: Sequence[str], allowed_roots: Sequence[Path], timeout_s: float = TIMEOUT_S) -> None:
        """command: starts a checker in the code's folder, which reads a CheckOrder and writes a DataReport."""
        self._command = command
        self._timeout_s = timeout_s
        self._allowed_roots = tuple(map(str, allowed_roots))
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    async def report(self, spec: TaskSpec) -> DataReport:
        """What is found in the folder of the task. Refusal queue_full or check_failed."""
        if self._waiting >= MOST_WAITING:
            raise Refusal("queue_full", f"{MOST_WAITING} folders wait to be checked already; try again in a moment.")
        self._waiting += 1
        try:
            async with self._turns:
                return await self._run(CheckOrder(spec, self._allowed_roots, time.monotonic() + HEADERS_S))
        finally:
            self._waiting -= 1

    async def _run(self, order: CheckOrder) -> DataReport:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                answer, errors = await process.communicate(msgspec.json.encode(order))
        except TimeoutError as error:
            raise _too_long(f"more than {self._timeout_s:g} s") from error
        finally:
            # Also when the caller has gone: nobody waits for the answer any more.
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode == -signal.SIGXCPU:
            raise _too_long("too much of the processor's time")
        try:
            return msgspec.json.decode(answer, type=DataReport)
        except msgspec.MsgspecError as error:
            last_words = errors.decode(errors="replace").strip().splitlines()[-1:]
            log.warning("action=check.failed exit_code=%s words=%r", process.returncode, last_words)
            raise Refusal(
                "check_failed", "The folder could not be checked; post the task without a check, and tell the operator."
            ) from error


def _too_long(what: str) -> Refusal:
    return Refusal(
        "check_failed",
        f"Checking the folder took {what} and was given up. The disk may be slow, or the folder very large; post the "
        "task without a check.",
    )
