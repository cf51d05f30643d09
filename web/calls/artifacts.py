"""`/v1/tasks/{taskId}/artifacts`: the files of a task's model, one by one and as a zip."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Sequence

from protocol.artifact import Artifact
from protocol.project_layout import MANIFEST
from protocol.task import Task
from web.answers.refusal import Refusal
from web.api.files import ArtifactList
from web.calls.file_answer import FileHandler
from web.files.artifacts import Scores, artifacts_of, is_only_saved, media_type, place_of, scores_in, views_of
from web.files.byte_range import Span, UnsatisfiableError, etag_of, is_known, requested_span
from web.files.file_names import attachment, file_name
from web.files.model_zip import Member, size_of_zip, zip_parts
from web.files.project_files import NoFileError


class ArtifactsHandler(FileHandler):
    """GET lists the files of the task's model that are there and have the size that the journal knows."""

    async def get(self, task_id: str) -> None:
        task = (await self.find(task_id)).task
        present = [artifact for artifact in artifacts_of(task) if await self._is_there(task, artifact)]
        scores = await self._scores(task, present)
        views = views_of(task, present, scores)
        self.send(ArtifactList(task_id=task_id, attempt=task.attempt, interim=task.trained is None, artifacts=views))

    async def _is_there(self, task: Task, artifact: Artifact) -> bool:
        try:
            return await self.services.files.size_of(task.spec, place_of(task, artifact)) == artifact.size_bytes
        except NoFileError:
            return False

    async def _scores(self, task: Task, artifacts: Sequence[Artifact]) -> Scores:
        """The scores in the manifest of the model; none if it is not the manifest that the journal knows."""
        for artifact in artifacts:
            if artifact.name == MANIFEST:
                try:
                    async with self.services.files.opened(task.spec, place_of(task, artifact)) as file:
                        return scores_in(await self.services.hashed.content(file, artifact))
                except (NoFileError, Refusal, OSError):
                    break
        return Scores()


class ArtifactHandler(FileHandler):
    """`…/artifacts/{name}`: GET sends a file, or a part of it."""

    async def get(self, task_id: str, name: str) -> None:
        task = (await self.find(task_id)).task
        artifact = next((artifact for artifact in artifacts_of(task) if artifact.name == name), None)
        if artifact is None:
            raise Refusal("no_artifact", _no_artifact(task, name), state=task.state.value)
        etag = etag_of(artifact.sha256)
        if is_known(self.request.headers.get("If-None-Match", ""), etag):
            self.send_not_modified(etag)
            return
        files = self.services.files
        try:
            if self.request.method == "GET" and is_only_saved(name):
                place = place_of(task, artifact)
                if address := await files.address_of(task.spec, place, artifact.size_bytes):
                    self._send_elsewhere(address, etag)
                    return
            async with files.opened(task.spec, place_of(task, artifact)) as file:
                await self.services.hashed.check(file, artifact)
                span = self._span(artifact, etag)
                parts = files.parts(file, span.begin, span.end, is_fixed=True)
                await self.send_parts(task_id, parts, span.end - span.begin, _headers(name, etag))
        except NoFileError as error:
            raise Refusal("no_artifact", f"The file can't be sent, because {error}.", state=task.state.value) from error

    def _send_elsewhere(self, address: str, etag: str) -> None:
        """Send the caller to object storage, which checks no hash. The ETag is that of the file in the journal."""
        self.set_file_headers({"ETag": etag, "Location": address})
        self.clear_header("Content-Type")
        self.set_status(307)

    def _span(self, artifact: Artifact, etag: str) -> Span:
        """The part to send; sets the status and the header of a part. Only GET has parts."""
        headers, size_bytes = self.request.headers, artifact.size_bytes
        whole = Span(0, size_bytes)
        if self.request.method != "GET" or headers.get("If-Range", etag) != etag:
            return whole
        try:
            span = requested_span(headers.get("Range", ""), size_bytes)
        except UnsatisfiableError:
            refusal = Refusal(
                "range_not_satisfiable", f"{artifact.name} has {size_bytes} bytes; ask for some of these."
            )
            refusal.headers["Content-Range"] = f"bytes */{size_bytes}"
            raise refusal from None
        if span is None:
            return whole
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {span.begin}-{span.end - 1}/{size_bytes}")
        return span


class ArtifactZipHandler(FileHandler):
    """`…/artifacts.zip`: GET sends all files of the task's model as one zip."""

    async def get(self, task_id: str) -> None:
        task = (await self.find(task_id)).task
        artifacts = artifacts_of(task)
        if not artifacts:
            raise Refusal("no_artifact", _no_artifact(task, "a zip"), state=task.state.value)
        files = self.services.files
        made_at = datetime.datetime.fromtimestamp(task.ended_at_s or task.started_at_s, datetime.UTC)
        name = file_name(f"{task.spec.project_id}-{task_id}.zip")
        headers = {"Content-Type": "application/zip", "Content-Disposition": attachment(name)}
        async with contextlib.AsyncExitStack() as lending:
            try:
                members = [await self._member(task, artifact, lending) for artifact in artifacts]
            except NoFileError as error:
                words = f"The zip can't be made, because {error}."
                raise Refusal("no_artifact", words, state=task.state.value) from error
            with files.turn():
                parts = files.each(zip_parts(members, made_at))
                await self.send_parts(task_id, parts, size_of_zip(members), headers)

    async def _member(self, task: Task, artifact: Artifact, lending: contextlib.AsyncExitStack) -> Member:
        place, files = place_of(task, artifact), self.services.files
        lent = await lending.enter_async_context(files.lent(task.spec, place))
        async with files.opened(task.spec, place) as file:
            checksums = await self.services.hashed.check(file, artifact)
            return Member(artifact.name, lent, file.content, checksums.crc32)


def _headers(name: str, etag: str) -> dict[str, str]:
    """A caller may keep the file, and asks each time whether it is still the same."""
    return {
        "Content-Type": media_type(name),
        "Content-Disposition": attachment(file_name(name.rpartition("/")[2])),
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
    }


def _no_artifact(task: Task, name: str) -> str:
    if not artifacts_of(task):
        return f"The task is {task.state.value} and has no model, so there are no files of one."
    return f"The model of this task has no file {name[:200]!r}; GET /v1/tasks/{task.task_id}/artifacts lists them."
