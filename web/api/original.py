"""The two calls of the original API at `/`. Their fields never change."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.options import OPTIONS_BY_TRAIN_TYPE
from protocol.task import TaskState

#: What stands for the text of a form's field in JSON. A list of texts becomes one text with commas.
_FormText = str | float | bool | list[str]


class TaskById(msgspec.Struct, rename="camel", kw_only=True):
    """Which task."""

    task_id: Annotated[str, Meta(description="the taskId that POST returned")]


class PostedFolder(msgspec.Struct, rename="camel", kw_only=True):
    """The fields of a form. The options of the trainType stand beside them."""

    user_id: Annotated[_FormText, Meta(description="the website's user")]
    project_id: Annotated[_FormText, Meta(description="the website's project")]
    project_dir: Annotated[
        _FormText, Meta(description="the folder with the photos, or its URL, inside [web] data_roots")
    ]
    train_type: Annotated[_FormText, Meta(description=f"one of {', '.join(OPTIONS_BY_TRAIN_TYPE)}")]
    request_id: Annotated[_FormText | None, Meta(description="the same as the header Idempotency-Key")] = ""
    dry_run: Annotated[_FormText | None, Meta(description="1: only check the folder, as POST /v1/check does")] = ""


class BriefTask(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The eight fields of the original API, and what an ended task adds."""

    task_id: str
    progress: Annotated[float, Meta(ge=0.0, le=100.0)]
    thread: str
    state: TaskState
    user_id: str
    project_id: str
    project_dir: str
    train_type: str
    model_path: str | UnsetType = UNSET
    warnings: tuple[str, ...] | UnsetType = UNSET
    skipped_files: int | UnsetType = UNSET
    error: str | UnsetType = UNSET
    code: str | UnsetType = UNSET
