"""`/v1/tasks/{taskId}/log` and `…/metrics`: what a task has written while it was trained."""

from __future__ import annotations

from protocol.project_layout import EPOCHS, KEPT, MOST_EPOCHS_BYTES, TASKS
from protocol.task import Task
from web.answers.refusal import Refusal
from web.api.files import EpochPage, EpochQuery, LogQuery
from web.calls.file_answer import FileHandler
from web.calls.staying_open import StayingHandler
from web.files.epoch_page import epochs_after
from web.files.log_follower import log_place
from web.files.open_file import OpenFile, Place
from web.files.project_files import NoFileError
from web.json_handler import JsonHandler

_HEADERS = {"Content-Type": "text/plain; charset=utf-8", "Content-Disposition": 'inline; filename="log.txt"'}


class LogHandler(FileHandler, StayingHandler):
    """GET sends the log of the task as it is, or also what is added until the task ends."""

    query: LogQuery

    async def get(self, task_id: str) -> None:
        task = (await self.find(task_id)).task
        if self.query.follow and not task.ended:
            await self._follow(task)
            return
        files, offset = self.services.files, self.query.offset
        try:
            async with files.opened(task.spec, log_place(task_id)) as file:
                size_bytes = file.content.size_bytes
                left_bytes = max(0, size_bytes - offset)
                await self.send_parts(task_id, files.parts(file, offset, size_bytes), left_bytes, _HEADERS)
        except NoFileError as error:
            raise Refusal("no_log", _no_log(task, error), state=task.state.value) from error

    async def _follow(self, task: Task) -> None:
        followers, self._task_id = self.services.followers, task.task_id
        parts = followers.parts(task.spec, self.query.offset, self._has_ended)
        if self.request.method == "HEAD":
            await self.send_parts(task.task_id, parts, None, _HEADERS)
            return
        with followers.turn(), self.services.live.slots.slot(self.connection):
            self.stays_open = True
            await self.send_parts(task.task_id, parts, None, _HEADERS)

    async def _has_ended(self) -> bool:
        """Whether to end the answer: the task has ended, the caller is gone, or the token has been revoked."""
        if self.connection.closed() or not self.may_go_on():
            return True
        entry = self.services.cache.get(self._task_id)
        try:
            return (entry or await self.find(self._task_id)).task.ended
        except Refusal as refusal:
            # A task that is forgotten has ended. While the broker is away, the task may go on.
            return refusal.status_code < 500


class EpochsHandler(JsonHandler):
    """GET returns the epochs of the task, while it is trained and afterwards."""

    query: EpochQuery

    async def get(self, task_id: str) -> None:
        task, query, files = (await self.find(task_id)).task, self.query, self.services.files
        try:
            async with files.opened(task.spec, Place((KEPT, TASKS, task_id), EPOCHS, MOST_EPOCHS_BYTES)) as file:
                self.send(await files.run(_read_epochs, file, query.after, query.limit))
        except NoFileError as error:
            if error.has_moved:
                raise Refusal("no_log", _no_log(task, error), state=task.state.value) from error
            self.send(EpochPage((), query.after))  # none has ended yet, or the training had none
        except OSError as error:
            raise Refusal("file_unreadable", "The epochs can't be read now; try again in a moment.") from error


def _read_epochs(file: OpenFile, after: int, limit: int) -> EpochPage:
    """Runs in a thread."""
    return epochs_after(file.file.read(MOST_EPOCHS_BYTES), after, limit)


def _no_log(task: Task, error: NoFileError) -> str:
    if not task.ended and not task.thread:
        return f"The task is {task.state.value}; its log begins with the training."
    return f"The log of this task can't be sent, because {error}."
