"""A pool of runtime processes, which predict for the pictures of many calls at once, and make thumbnails of others.

Processes are started when they are needed and end when they have been idle for a while. A process that dies, or takes
too long, costs only the picture that it was busy with: that one is tried again on its own, and all others elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Sequence

from protocol.prediction import (
    FolderPicture,
    ModelFile,
    ModelRefused,
    Order,
    Picture,
    PictureAnswer,
    PredictionAnswer,
    Ready,
    RuntimeLimits,
    Thumbnail,
    ThumbnailAnswer,
    Thumbnails,
    Work,
)
from web.answers.refusal import Refusal
from web.prediction.picture_queue import PictureCall, PictureQueue, QueuedPicture
from web.prediction.runtime_process import RuntimeDiedError, RuntimeProcess

log = logging.getLogger("web")

#: The most pictures that wait for predictions, of all calls, and of the calls on one user's models.
#: web/door/body_limits.py limits their bytes.
MOST_PICTURES = 256
MOST_PICTURES_OF_USER = 128
#: The most pictures that wait for thumbnails. A browser asks for six at a time.
MOST_WAITING_THUMBNAILS = 128
#: A process ends when it has been idle for this long.
IDLE_S = 180.0
#: A process is ended when one prediction, or loading a model, takes longer than this.
PICTURE_S = 60.0
#: A process is ended when one thumbnail takes longer than this.
THUMBNAIL_S = 10.0
#: How many processes may end while they load the model for a picture, before its call is refused.
MODEL_TRIES = 2


class RuntimePool:
    def __init__(self, command: Sequence[str], processes: int, limits: RuntimeLimits, idle_s: float = IDLE_S) -> None:
        """command: starts a runtime process in the code's folder. processes: the most at once."""
        self._command = command
        self._most_processes = processes
        self._limits = limits
        self._idle_s = idle_s
        self._queue = PictureQueue()
        self._calls: dict[PictureCall, asyncio.Future[None]] = {}
        self._idle: dict[RuntimeProcess, asyncio.TimerHandle] = {}
        self._busy: dict[RuntimeProcess, Work] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = 0
        self._closed = False
        #: Held while a large body is read, which takes several times its size.
        self.reading = asyncio.Lock()

    @property
    def pids(self) -> set[int]:
        """The ids of all processes that run."""
        return {process.pid for process in (*self._idle, *self._busy)}

    async def predict(self, model: ModelFile, pictures: Sequence[Picture]) -> list[PredictionAnswer]:
        """One answer for each picture. Raises Refusal predict_busy, predict_failed, or one about the model.

        If the caller is cancelled, pictures that still wait are dropped.
        """
        call = PictureCall(model, pictures)
        self._refuse_too_many(call, model.spec.user_id)
        return [answer for answer in await self._answers(call) if not isinstance(answer, Thumbnail)]

    async def thumbnail(self, work: Thumbnails, picture: FolderPicture) -> ThumbnailAnswer:
        """The thumbnail of a picture on the disk.

        Raises Refusal predict_failed or thumbnails_busy.
        """
        waiting = sum(isinstance(call.work, Thumbnails) for call in self._calls)
        if waiting >= MOST_WAITING_THUMBNAILS:
            raise Refusal("thumbnails_busy", "Too many pictures wait to be shown already; try again in a moment.")
        (answer,) = await self._answers(PictureCall(work, [picture]))
        assert isinstance(answer, ThumbnailAnswer)
        return answer

    async def _answers(self, call: PictureCall) -> list[PictureAnswer]:
        done = self._calls[call] = asyncio.get_running_loop().create_future()
        self._queue.add(call)
        self._hand_out()
        try:
            await done
        finally:
            del self._calls[call]
            self._queue.remove(call)
        return [answer for answer in call.answers if answer is not None]

    async def close(self) -> None:
        """End all processes and fail all calls."""
        self._closed = True
        for call in list(self._calls):
            self._fail(call, _failed())
        for process in self._busy:
            process.kill()
        for process, timer in self._idle.items():
            timer.cancel()
            self._run(process.end())
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _refuse_too_many(self, call: PictureCall, user: str) -> None:
        pictures = Counter[str]()
        for other in (*self._calls, call):
            if isinstance(other.work, ModelFile):
                pictures[other.work.spec.user_id] += other.left
        if pictures.total() > MOST_PICTURES:
            raise Refusal("predict_busy", "Too many pictures wait for predictions already; try again in a moment.")
        if pictures[user] > MOST_PICTURES_OF_USER:
            raise Refusal(
                "predict_busy",
                f"{MOST_PICTURES_OF_USER} pictures of this user wait for predictions already; try again in a moment.",
            )

    # ---- handing out ----

    def _hand_out(self) -> None:
        """Give waiting pictures to free processes, and start a process if there is none."""
        while not self._closed and (call := self._queue.next_call(self._may_show())) is not None:
            process = self._free_process(call.work)
            if process is None:
                if self._starting + len(self._idle) + len(self._busy) < self._most_processes:
                    self._starting += 1
                    self._run(self._start())
                return
            self._idle.pop(process).cancel()
            self._busy[process] = call.work
            self._run(self._serve(process, self._queue.take(call, len(self._idle) + len(self._busy))))

    def _may_show(self) -> bool:
        """Whether one more process may make thumbnails.

        If there are several processes, one is left to predictions, which would otherwise wait behind pictures that take
        long to open.
        """
        showing = sum(isinstance(work, Thumbnails) for work in self._busy.values())
        return showing < max(1, self._most_processes - 1)

    def _free_process(self, work: Work) -> RuntimeProcess | None:
        """A free process that has the model if possible, else the one with the fewest models. For thumbnails, any."""
        for process in [process for process in self._idle if process.has_ended()]:
            log.warning("action=prediction.process_died pid=%d how='it ended while it was idle'", process.pid)
            self._idle.pop(process).cancel()
            self._run(process.end())
        wanted = work.artifact.sha256 if isinstance(work, ModelFile) else ""
        return min(self._idle, key=lambda process: (wanted not in process.loaded, len(process.loaded)), default=None)

    async def _start(self) -> None:
        try:
            process = await RuntimeProcess.start(self._command, self._limits)
        except OSError as error:
            log.error("action=prediction.no_process error=%r", str(error))
            for call in list(self._calls):
                self._fail(call, _failed())
            return
        finally:
            self._starting -= 1
        if self._closed:
            await process.end()
            return
        log.info("action=prediction.process_started pid=%d", process.pid)
        self._rest(process)
        self._hand_out()

    async def _serve(self, process: RuntimeProcess, taken: Sequence[QueuedPicture]) -> None:
        work = taken[0].call.work
        order = Order(work, tuple(each.picture for each in taken))
        answered, is_ready = 0, False
        try:
            async for answer in process.answers(order):
                if isinstance(answer, Ready):
                    is_ready = True
                elif isinstance(answer, ModelRefused):
                    for call in {each.call for each in taken}:
                        self._fail(call, Refusal(answer.code, answer.error))
                else:
                    call, number = taken[answered]
                    answered += 1
                    call.answer(number, answer)
                    self._note_progress(call)
        except RuntimeDiedError as error:
            task_id = work.spec.task_id if work.spec is not None else ""
            log.warning("action=prediction.process_died pid=%d task=%s how=%r", process.pid, task_id, str(error))
            self._try_again(taken[answered:], is_ready)
        else:
            self._rest(process)
        finally:
            del self._busy[process]
        self._hand_out()

    def _rest(self, process: RuntimeProcess) -> None:
        loop = asyncio.get_running_loop()
        self._idle[process] = loop.call_later(self._idle_s, self._retire, process)

    def _retire(self, process: RuntimeProcess) -> None:
        """End a process that has been idle for long."""
        del self._idle[process]
        log.info("action=prediction.process_ended pid=%d reason=idle", process.pid)
        self._run(process.end())

    def _run(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- calls ----

    def _try_again(self, taken: Sequence[QueuedPicture], is_ready: bool) -> None:
        """A process died. taken: its pictures without an answer, of which it was busy with the first."""
        if is_ready:
            taken[0].call.picture_was_fatal(taken[0].number)
        else:
            for call, number in taken:
                call.without_model[number] += 1
                if call.without_model[number] >= MODEL_TRIES:
                    self._fail(call, _failed())
        still_open = [each for each in taken if each.call in self._calls and not self._calls[each.call].done()]
        self._queue.put_back(still_open)
        for call in {each.call for each in still_open}:
            self._note_progress(call)

    def _note_progress(self, call: PictureCall) -> None:
        if call in self._calls and not self._calls[call].done() and not call.left:
            self._calls[call].set_result(None)

    def _fail(self, call: PictureCall, refusal: Refusal) -> None:
        self._queue.remove(call)
        if call in self._calls and not self._calls[call].done():
            self._calls[call].set_exception(refusal)


def _failed() -> Refusal:
    return Refusal(
        "predict_failed",
        "The process that opens pictures and runs models ended or took too long; try again, and tell the operator if "
        "it happens again. The reason is in the server's log.",
    )
