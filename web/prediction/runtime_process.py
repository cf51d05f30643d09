"""One runtime process: started, asked and ended. Whatever happens to it becomes a RuntimeDiedError."""

from __future__ import annotations

import asyncio
import asyncio.subprocess
import contextlib
import os
from collections.abc import AsyncIterator, Sequence

import msgspec

from protocol.prediction import (
    HEAD,
    MOST_ANSWER_BYTES,
    Labels,
    Mask,
    ModelFile,
    ModelRefused,
    Order,
    PictureAnswer,
    PictureRefused,
    Ready,
    RuntimeAnswer,
    RuntimeLimits,
    Thumbnail,
    Thumbnails,
    Work,
    framed,
    unframed,
)
from web.worker_process import kill, last_words_of, start_worker_process

#: The process ends itself when a step takes longer than RuntimeLimits.picture_s. If it can't, it is killed this much
#: later.
KILL_AFTER_S = 2.0
#: A process whose input was closed ends by itself; it is killed if that takes longer.
END_WITHIN_S = 5.0
#: How much of a message is written to the process at once.
PART_BYTES = 256 * 1024
#: How LiteRT begins a line that is no complaint.
NOTE = "INFO: "
#: The answers that each kind of work allows for a picture.
ANSWERS: dict[type[Work], tuple[type[PictureAnswer], ...]] = {
    ModelFile: (Labels, Mask, PictureRefused),
    Thumbnails: (Thumbnail, PictureRefused),
}


class RuntimeDiedError(Exception):
    """The process ended, was killed for its slowness, or wrote something that is no answer. The message says which."""


class RuntimeProcess:
    """loaded: the hashes of the models that it holds."""

    def __init__(self, process: asyncio.subprocess.Process, limits: RuntimeLimits) -> None:
        self._process = process
        self._limits = limits
        self._listening = asyncio.create_task(last_words_of(process))
        self.loaded: tuple[str, ...] = ()

    @classmethod
    async def start(cls, command: Sequence[str], limits: RuntimeLimits) -> RuntimeProcess:
        """Start a process in the code's folder. Raises OSError."""
        runtime = cls(await start_worker_process(command), limits)
        with contextlib.suppress(ConnectionError):  # it has ended already, which the first order will notice
            await runtime._send(limits)
        return runtime

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        """Whether the process has ended. The system is asked, because the event loop may not know yet."""
        if self._process.returncode is not None:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def answers(self, order: Order) -> AsyncIterator[RuntimeAnswer]:
        """All answers to an order, each as soon as it is known. Raises RuntimeDiedError; the process is dead then."""
        step_s = self._limits.step_s(order.work) + KILL_AFTER_S
        try:
            async with asyncio.timeout(step_s):
                await self._send(order)
                first = await self._next()
            if not isinstance(first, Ready | ModelRefused):
                raise msgspec.ValidationError(f"a {type(first).__name__} out of turn")
            yield first
            if isinstance(first, ModelRefused):
                return
            for _ in order.pictures:
                async with asyncio.timeout(step_s):
                    answer = await self._next()
                if not isinstance(answer, ANSWERS[type(order.work)]):
                    raise msgspec.ValidationError(f"a {type(answer).__name__} to {type(order.work).__name__}")
                yield answer
        except TimeoutError as error:
            raise RuntimeDiedError(await self._end_of(f"it took more than {step_s:g} s for one step")) from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise RuntimeDiedError(await self._end_of("it ended")) from error
        except ValueError as error:  # also a text that is not UTF-8
            raise RuntimeDiedError(await self._end_of(f"it wrote no answer ({error})")) from error

    async def end(self) -> None:
        """Let it end by itself, as it does when its input closes; kill it if it doesn't."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_WITHIN_S):
                await self._process.wait()
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        kill(self._process)

    async def _send(self, message: RuntimeLimits | Order) -> None:
        """Write a message in parts, because asyncio copies what the pipe does not take at once."""
        assert self._process.stdin is not None
        for part in framed(message):
            view = memoryview(part)
            for start in range(0, len(part), PART_BYTES):
                self._process.stdin.write(view[start : start + PART_BYTES])
                await self._process.stdin.drain()

    async def _next(self) -> RuntimeAnswer:
        assert self._process.stdout is not None
        (size,) = HEAD.unpack(await self._process.stdout.readexactly(HEAD.size))
        if size > MOST_ANSWER_BYTES:
            raise msgspec.ValidationError(f"an answer of {size} bytes")
        answer: RuntimeAnswer = unframed(await self._process.stdout.readexactly(size), RuntimeAnswer)  # type: ignore[arg-type]
        if isinstance(answer, Ready):
            self.loaded = answer.loaded
        return answer

    async def _end_of(self, what: str) -> str:
        """Make sure that it has ended. Returns a description of its end for the log."""
        self.kill()
        await self._process.wait()
        lines = (await self._listening).splitlines()
        words = [line for line in lines if not line.startswith(NOTE)][-1:]
        return f"{what}, exit code {self._process.returncode}, last words {words!r}"
