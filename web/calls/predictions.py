"""The calls that predict: the model of a task, or the one that a project uses, answers for pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from protocol import messages as m
from protocol.prediction import (
    FolderPicture,
    ModelFile,
    Picture,
    PictureRefused,
    PredictionAnswer,
    SentPicture,
)
from protocol.task import Task, TaskState
from protocol.task_filter import TaskOrder
from web.answers.refusal import Refusal
from web.api.predictions import (
    MOST_PICTURES_OF_A_CALL,
    PicturesToPredict,
    PictureToPredict,
    Predictions,
    prediction_of,
)
from web.calls.abandonable import AbandonableHandler
from web.calls.listing import ListingHandler
from web.prediction.models import first_usable, model_of
from web.prediction.provenance import was_written_by_worker
from web.prediction.refused_pictures import without_too_large
from web.reading.form import JSON_TYPE, MULTIPART_TYPE, media_type_of, read_files

#: The field of a multipart form whose files are the pictures.
PICTURE_FIELD = "picture"
#: A body that is larger than this is read in a thread, while other calls go on. Reading 30 MB takes 0.1 s.
READ_AT_ONCE_BYTES = 1_000_000
#: Where the model of a project is looked for that uses no finished one: in tasks that are trained, and then in those
#: that have lost their worker, which are the oldest pending ones.
WITH_MODELS: tuple[tuple[TaskState, TaskOrder], ...] = (
    (TaskState.PROCESSING, "-submittedAt"),
    (TaskState.PENDING, "submittedAt"),
)


class PredictingHandler(ListingHandler, AbandonableHandler):
    """The base of both calls. If the caller goes away, pictures that still wait are dropped."""

    async def answer(self, model: ModelFile, pictures: Sequence[Picture], interim: bool) -> None:
        """Send what the model answers. A picture alone that gets no answer is refused as a whole."""
        await self._refuse_foreign(model)
        answers = await self.while_caller_waits(self._answers(model, pictures))
        named = list(zip([picture.name for picture in pictures], answers, strict=True))
        if len(named) == 1 and isinstance(refused := named[0][1], PictureRefused):
            raise Refusal(refused.code, refused.error)
        self.send(
            Predictions(
                task_id=model.spec.task_id,
                train_type=model.spec.train_type,
                model=model.artifact.name,
                interim=interim,
                predictions=tuple(prediction_of(name, answer) for name, answer in named),
            )
        )

    async def _answers(self, model: ModelFile, pictures: Sequence[Picture]) -> list[PredictionAnswer]:
        """An answer for each picture. Only those that are not refused at once are given to a runtime process."""
        sent = [without_too_large(picture) for picture in pictures]
        wanted = [picture for picture in sent if not isinstance(picture, PictureRefused)]
        if not wanted:
            return [each for each in sent if isinstance(each, PictureRefused)]
        folders = self.services.roots.of(model.spec.project_path)
        async with folders.at_hand(model, wanted) as ready:
            usable = [each for each in ready.pictures if not isinstance(each, PictureRefused)]
            answers = iter(await self.services.runtimes.predict(ready.model, usable) if usable else ())
        judged = iter([each if isinstance(each, PictureRefused) else next(answers) for each in ready.pictures])
        return [each if isinstance(each, PictureRefused) else next(judged) for each in sent]

    async def _refuse_foreign(self, model: ModelFile) -> None:
        task = (await self.find(model.spec.task_id)).task
        if not await was_written_by_worker(task, model.artifact, self._find_in_journal):
            raise Refusal(
                "model_unusable",
                f"{model.artifact.name} was taken over from an earlier task, and the journal does not know these bytes "
                "of that task, so the model is not run; post the folder with another seed to train it anew.",
            )

    async def _find_in_journal(self, task_id: str) -> Task | None:
        """A task of any user, for a decision alone: the caller is told nothing of it. None if it is unknown."""
        try:
            return (await self.ask_for_task(lambda request_id: m.Lookup(request_id, task_id))).task
        except Refusal as refusal:
            if refusal.problem.code == "unknown_task":
                return None
            raise

    async def read_pictures(self) -> list[Picture]:
        """The pictures of the body, which is then forgotten. Raises Refusal."""
        if len(self.body) <= READ_AT_ONCE_BYTES:
            return self._pictures()
        async with self.services.runtimes.reading:
            return await asyncio.to_thread(self._pictures)

    def _pictures(self) -> list[Picture]:
        kind = media_type_of(self.request.headers)
        if kind == MULTIPART_TYPE:
            pictures = self._of_form()
        elif kind == JSON_TYPE:
            sent = self.read_body(PicturesToPredict).pictures
            pictures = [_picture(number, picture) for number, picture in enumerate(sent)]
        else:
            raise Refusal(
                "unsupported_media_type",
                f"Send the pictures as {MULTIPART_TYPE}, each a file of the field {PICTURE_FIELD}, or as {JSON_TYPE}: "
                '{"pictures": [{"base64": "…"}]}.',
            )
        self.body = b""
        return pictures

    def _of_form(self) -> list[Picture]:
        files = read_files(self.request.headers, self.body, PICTURE_FIELD, MOST_PICTURES_OF_A_CALL)
        if not files:
            raise Refusal(
                "bad_fields",
                f"The form has no file; send each picture as a file of the field {PICTURE_FIELD}.",
                fields={PICTURE_FIELD: "It is missing."},
            )
        return [SentPicture(file.name[:255], file.content) for file in files]


class TaskPredictHandler(PredictingHandler):
    """`/v1/tasks/{taskId}/predict`: POST has the task's model answer, or the best so far while it is trained."""

    async def post(self, task_id: str) -> None:
        pictures = await self.read_pictures()
        task = (await self.find(task_id)).task
        await self.answer(model_of(task), pictures, interim=task.trained is None)


class ProjectPredictHandler(PredictingHandler):
    """`/v1/projects/{userId}/{projectId}/predict`: POST has the model answer that the project uses."""

    async def post(self, user_id: str, project_id: str) -> None:
        pictures = await self.read_pictures()
        task = await self._task_in_use(user_id, project_id)
        await self.answer(model_of(task), pictures, interim=task.trained is None)

    async def _task_in_use(self, user_id: str, project_id: str) -> Task:
        """The task whose model the project uses. Raises Refusal. Another user's project looks like one without any."""
        if self.caller.sees(user_id):
            if (finished := await self.task_in_use(user_id, project_id)) is not None:
                return finished
            for state, order in WITH_MODELS:
                async for page in self.pages_of((user_id, project_id), state, order):
                    if (task := first_usable(page.tasks)) is not None:
                        return task
        raise Refusal("no_model", "This project has no model in use; post its folder, and wait until the task is done.")


def _picture(number: int, sent: PictureToPredict) -> Picture:
    name = f"pictures[{number}]"
    if bool(sent.base64) == bool(sent.path):
        raise Refusal(
            "bad_fields",
            f"{name} has {'both base64 and path' if sent.path else 'neither base64 nor path'}; send one of them.",
            fields={name: "It takes base64 or path."},
        )
    return FolderPicture(sent.path) if sent.path else SentPicture(sent.name or name, sent.base64)
