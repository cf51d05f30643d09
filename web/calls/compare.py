"""`/v1/compare`: finished tasks on the held-out pictures that all of them have."""

from __future__ import annotations

import asyncio

import msgspec

from protocol.task import Task
from web.answers.paired_scores import Judged, compared, judged
from web.answers.refusal import Refusal
from web.api.compare import CompareQuery
from web.calls.file_answer import FileHandler
from web.files.artifacts import artifacts_of, place_of
from web.files.project_files import NoFileError

HELD_OUT, METRICS = "held_out.json", "metrics.json"
#: A larger file is not read into memory. That of 100,000 held-out pictures has 25 MB.
MOST_BYTES = 64 * 1024**2
#: The most calls that hold such files at the same time.
MOST_AT_ONCE = 2


class CompareHandler(FileHandler):
    """GET compares each task with the first one."""

    query: CompareQuery

    async def get(self) -> None:
        tasks = [(await self.find(task_id)).task for task_id in self.query.tasks]
        first = tasks[0].spec
        for task in tasks:
            if (task.spec.user_id, task.spec.train_type) != (first.user_id, first.train_type):
                raise self._unlike(f"Task {task.task_id} has another userId or trainType than {tasks[0].task_id}")
        if len({task.task_id for task in tasks}) < len(tasks):
            raise self._unlike("A task came twice")
        # The files of one task may have many megabytes, so one is read after the other, and for few calls at a time.
        async with self.services.comparing:
            held_out = [await self._judged(task) for task in tasks]
            self.send(await asyncio.to_thread(compared, held_out))

    async def _judged(self, task: Task) -> Judged:
        held_out, metrics = await self._read(task, HELD_OUT), await self._read(task, METRICS)
        try:
            return await asyncio.to_thread(judged, task.task_id, held_out, metrics)
        except msgspec.MsgspecError:
            raise Refusal(
                "no_artifact",
                f"Task {task.task_id} was trained by a release whose files can't be compared; train its folder again.",
            ) from None

    async def _read(self, task: Task, name: str) -> bytes:
        """A file of the task's model, as the worker has written it. Raises Refusal."""
        artifact = next((each for each in artifacts_of(task) if each.name == name), None)
        if artifact is None or artifact.size_bytes > MOST_BYTES:
            what = "has none" if artifact is None else "has one that is too large to be read"
            raise Refusal(
                "no_artifact",
                f"Tasks are compared by their {name}, and task {task.task_id} ({task.state.value}) {what}; name tasks "
                "that are done.",
                state=task.state.value,
            )
        try:
            async with self.services.files.opened(task.spec, place_of(task, artifact)) as file:
                return await self.services.hashed.content(file, artifact)
        except NoFileError as error:
            words = f"{name} of task {task.task_id} can't be read, because {error}."
            raise Refusal("no_artifact", words, state=task.state.value) from error
        except OSError as error:
            words = f"{name} of task {task.task_id} can't be read now; try again in a moment."
            raise Refusal("file_unreadable", words) from error

    def _unlike(self, what: str) -> Refusal:
        sentence = f"{what}; name different tasks of one user and one trainType."
        return Refusal("bad_fields", sentence, fields={"tasks": sentence})
