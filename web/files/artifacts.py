"""Which files of a task's model may be handed out, and what they are. Pure.

The journal knows them by their hashes. What lies in the project folder is handed out only if it has these.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta

from protocol.artifact import Artifact
from protocol.project_layout import MODELS
from protocol.task import Task, TaskState
from web.api.files import ArtifactView
from web.files.open_file import Place

#: A TFLite file has at most 2 GB. The worker writes no larger file than this.
MOST_ARTIFACT_BYTES = 4 * 1024**3
_OTHER_MEDIA = "application/octet-stream"
_MEDIA = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".zip": "application/zip",
}

_Text = Annotated[str, Meta(max_length=200)]


class _Check(msgspec.Struct, frozen=True):
    file: _Text
    score: Annotated[float, Meta(ge=-1e300, le=1e300)] | None = None


class _Exports(msgspec.Struct, frozen=True):
    score_name: _Text = ""
    formats: Annotated[tuple[_Check, ...], Meta(max_length=64)] = ()


class _Manifest(msgspec.Struct, frozen=True):
    exports: _Exports = _Exports()


class Scores(msgspec.Struct, frozen=True):
    """The scores of the exported files, by name. name: what they are called."""

    name: str = ""
    of_files: Mapping[str, float] = {}


def artifacts_of(task: Task) -> tuple[Artifact, ...]:
    """The files of a task's model. Before the end, it is the first usable one, if there is any."""
    if task.trained is not None:
        return task.trained.artifacts
    if task.usable is not None and task.state is not TaskState.CANCELLED:
        return (task.usable.artifact,)
    return ()


def place_of(task: Task, artifact: Artifact) -> Place:
    *folders, name = artifact.name.split("/")
    return Place((MODELS, task.task_id, *folders), name, MOST_ARTIFACT_BYTES)


def media_type(name: str) -> str:
    return _MEDIA.get(posixpath.splitext(name)[1], _OTHER_MEDIA)


def is_only_saved(name: str) -> bool:
    """Whether browsers only save the file. The others are small, and pages read them or show them."""
    return media_type(name) in (_OTHER_MEDIA, "application/zip")


def scores_in(manifest: bytes) -> Scores:
    """The scores that a manifest tells. manifest: one whose hash is in the journal, so the worker has written it."""
    try:
        exports = msgspec.json.decode(manifest, type=_Manifest).exports
    except (ValueError, RecursionError):
        return Scores()
    return Scores(exports.score_name, {check.file: check.score for check in exports.formats if check.score is not None})


def views_of(task: Task, artifacts: Sequence[Artifact], scores: Scores) -> tuple[ArtifactView, ...]:
    """The artifacts for an answer. A score of the folder saved_model belongs to each file in it."""
    return tuple(
        ArtifactView(
            name=artifact.name,
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            media_type=media_type(artifact.name),
            score=scores.of_files.get(artifact.name.partition("/")[0], UNSET),
            score_name=scores.name if artifact.name.partition("/")[0] in scores.of_files else UNSET,
            url=f"/v1/tasks/{task.task_id}/artifacts/{artifact.name}",
        )
        for artifact in artifacts
    )
