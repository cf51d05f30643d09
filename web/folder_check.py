"""Checks a folder without training on it, in a process of its own, which has limits on its time and memory."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

import msgspec

from conf.data_roots import Root
from conf.storage_settings import StorageSettings
from protocol.data_report import DataReport
from protocol.folder_check import CheckOrder
from protocol.task import TaskSpec
from web.answers.refusal import Refusal
from web.worker_process import NoAnswerError, TooLongError, ask_worker_process

log = logging.getLogger("web")

#: Checks that run side by side, and calls that may wait for their turn.
MOST_AT_ONCE = 2
MOST_WAITING = 20
#: A checker that takes longer is killed. It looks at names first and gives up on headers in time by itself.
TIMEOUT_S = 20.0
#: Headers of pictures are read until so long after the start of the process. The answer should come within a second.
HEADERS_S = 0.7


class FolderChecks:
    """Runs the checker for one call after the other."""

    def __init__(
        self,
        command: Sequence[str],
        allowed_roots: Sequence[Root],
        timeout_s: float = TIMEOUT_S,
        storage: StorageSettings | None = None,
    ) -> None:
        """command: starts a checker in the code's folder, which reads a CheckOrder and writes a DataReport."""
        self._command = command
        self._timeout_s = timeout_s
        self._allowed_roots = tuple(map(str, allowed_roots))
        self._storage = msgspec.to_builtins(storage) if storage is not None else {}
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)
        self._waiting = 0

    async def report(self, spec: TaskSpec) -> DataReport:
        """What is found in the folder of the task. Refusal queue_full or check_failed."""
        if self._waiting >= MOST_WAITING:
            raise Refusal("queue_full", f"{MOST_WAITING} folders wait to be checked already; try again in a moment.")
        self._waiting += 1
        try:
            async with self._turns:
                return await self._run(
                    CheckOrder(spec, self._allowed_roots, time.monotonic() + HEADERS_S, self._storage)
                )
        finally:
            self._waiting -= 1

    async def _run(self, order: CheckOrder) -> DataReport:
        try:
            return await ask_worker_process(self._command, order, DataReport, self._timeout_s)
        except TooLongError as error:
            raise _too_long(str(error)) from error
        except NoAnswerError as error:
            log.warning("action=check.failed exit_code=%s words=%r", error.exit_code, error.last_words)
            raise Refusal(
                "check_failed", "The folder could not be checked; post the task without a check, and tell the operator."
            ) from error


def _too_long(what: str) -> Refusal:
    return Refusal(
        "check_failed",
        f"Checking the folder took {what} and was given up. The disk may be slow, or the folder very large; post the "
        "task without a check.",
    )
