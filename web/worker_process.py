"""Runs the worker's code on one folder, in a short process of its own.

A folder may be slow, huge or hostile, so the front-end never looks into one itself. Nothing that happens in the process
harms the front-end, and nothing is left of it when its time is up or its caller has gone.
"""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import os
import signal
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from conf.settings import ROOT

Answer = TypeVar("Answer", bound=msgspec.Struct)

#: Threads for linear algebra, of which such a process does none. Each would take of its limited memory.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


class TooLongError(Exception):
    """The process took too long. The message names what it took too much of."""


class NoAnswerError(Exception):
    """The process ended without an answer. exit_code, last_words: for the log."""

    def __init__(self, exit_code: int | None, last_words: str) -> None:
        super().__init__(f"exit code {exit_code}: {last_words}")
        self.exit_code, self.last_words = exit_code, last_words


async def ask_worker_process(
    command: Sequence[str], order: msgspec.Struct, kind: type[Answer], timeout_s: float
) -> Answer:
    """Start the command in the code's folder, write the order to it as JSON, and return its answer.

    Raises TooLongError and NoAnswerError.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            answer, errors = await process.communicate(msgspec.json.encode(order))
    except TimeoutError as error:
        raise TooLongError(f"more than {timeout_s:g} s") from error
    finally:
        # Also when the caller has gone: nobody waits for the answer any more.
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode == -signal.SIGXCPU:
        raise TooLongError("too much of the processor's time")
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError as error:
        last_words = errors.decode(errors="replace").strip().splitlines()[-1:]
        raise NoAnswerError(process.returncode, "".join(last_words)) from error
