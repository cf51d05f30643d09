"""Starts processes that run the worker's code for the front-end, and asks those that answer only once.

A folder may be slow, huge or hostile, so the front-end never looks into one itself. Nothing that happens in the process
harms the front-end. A process that answers once is killed when its time is up or its caller has gone.
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

#: Libraries for linear algebra would otherwise start a thread for each core and use up the process's limited memory.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
#: The longest answer that is read. The report on a folder has less than a megabyte.
MOST_ANSWER_BYTES = 16 * 1024**2
#: How much of the end of a process's standard error is kept for the log.
LAST_WORDS_BYTES = 4096


class TooLongError(Exception):
    """The process took too long. The message names what it took too much of."""


class NoAnswerError(Exception):
    """The process could not be started, or ended without an answer. exit_code, last_words: for the log."""

    def __init__(self, exit_code: int | None, last_words: str) -> None:
        super().__init__(f"exit code {exit_code}: {last_words}")
        self.exit_code, self.last_words = exit_code, last_words


async def start_worker_process(command: Sequence[str]) -> asyncio.subprocess.Process:
    """Start the command in the code's folder, in a session of its own and with three pipes. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


def kill(process: asyncio.subprocess.Process) -> None:
    """End a process that still runs, and all processes that it has started.

    Process.kill() may take the exit code of a process that has just ended. The thread in which asyncio waits for the
    code would then report 255.
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


async def last_words_of(process: asyncio.subprocess.Process) -> str:
    """Read the standard error of a process, so that it never waits for a reader, and return the end of it."""
    assert process.stderr is not None
    words = b""
    while part := await process.stderr.read(LAST_WORDS_BYTES):
        words = (words + part)[-LAST_WORDS_BYTES:]
    return words.decode(errors="replace").strip()


async def ask_worker_process(
    command: Sequence[str], order: msgspec.Struct, kind: type[Answer], timeout_s: float
) -> Answer:
    """Start the command, give it the order as JSON, and return its answer. Raises TooLongError and NoAnswerError."""
    try:
        process = await start_worker_process(command)
    except OSError as error:
        raise NoAnswerError(None, str(error)) from error
    listening = asyncio.create_task(last_words_of(process))
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _exchanged(process, msgspec.json.encode(order))
            await process.wait()
    except TimeoutError as error:
        raise TooLongError(f"more than {timeout_s:g} s") from error
    finally:
        # This also runs when the caller has gone, because nobody waits for the answer any more.
        kill(process)
        await process.wait()
    if process.returncode == -signal.SIGXCPU:
        raise TooLongError("too much of the processor's time")
    try:
        return msgspec.json.decode(answer, type=kind)
    except ValueError as error:  # also a text that is not UTF-8
        last_words = (await listening).splitlines()[-1:]
        raise NoAnswerError(process.returncode, "".join(last_words)) from error


async def _exchanged(process: asyncio.subprocess.Process, order: bytes) -> bytes:
    """Write the order, and return all that the process answers. Raises NoAnswerError if that is too much."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):  # it has ended already, and its exit code says why
        process.stdin.write(order)
        await process.stdin.drain()
    process.stdin.close()
    answer = bytearray()
    while part := await process.stdout.read(MOST_ANSWER_BYTES):
        answer += part
        if len(answer) > MOST_ANSWER_BYTES:
            raise NoAnswerError(None, f"it answered with more than {MOST_ANSWER_BYTES} bytes")
    return bytes(answer)
