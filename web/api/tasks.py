"""Tasks, as callers post, list and see them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from conf.webhook_url import MAX_URL_CHARS
from protocol.bounds import TaskIdOrNone
from protocol.data_report import Finding
from protocol.metadata import Metadata
from protocol.options import OPTIONS_BY_TRAIN_TYPE, OptionValue
from protocol.task import TaskState
from protocol.task_filter import MAX_PAGE_TASKS, Cursor, TaskOrder
from web.api.url_text import UrlText

_Field = Annotated[str, Meta(min_length=1, max_length=4096)]
#: The options of a trainType. `GET /v1/train-types` has the schema of each one's options.
OptionsObject = Annotated[
    dict[str, OptionValue],
    Meta(
        description="options of the trainType; GET /v1/train-types lists them",
        extra_json_schema={
            "anyOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in OPTIONS_BY_TRAIN_TYPE.values()]
        },
    ),
]


class NewTask(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A task to be trained."""

    user_id: Annotated[_Field, Meta(description="the website's user; tasks are shared out fairly between users")]
    project_id: Annotated[_Field, Meta(description="the website's project")]
    project_dir: Annotated[_Field, Meta(description="the folder with the photos, or its URL, inside [web] data_roots")]
    train_type: Annotated[
        _Field,
        Meta(description="what kind of model", extra_json_schema={"enum": list(OPTIONS_BY_TRAIN_TYPE)}),
    ]
    options: OptionsObject = {}
    metadata: Metadata = {}
    webhook: Annotated[
        str,
        Meta(
            max_length=MAX_URL_CHARS,
            description="a URL that is told of this task's events",
        ),
    ] = ""


class RetryTask(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """What the new task has other than the one that it repeats. A field that is left out stays as it was."""

    options: Annotated[
        dict[str, OptionValue | None], Meta(description="options to change; null stands for the default")
    ] = {}
    metadata: Annotated[Metadata | None, Meta(description="other metadata; all of it is replaced")] = None


class TaskQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """How long to wait for a change."""

    wait: Annotated[
        float, Meta(ge=0, le=60, description="seconds to wait until something has changed after `since`")
    ] = 0.0
    since: Annotated[int, Meta(ge=0, description="the `seq` of the answer before")] = 0


class TaskListQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which tasks to list. Each condition that is given must hold."""

    user_id: Annotated[UrlText, Meta(description="tasks of this user")] = ""
    project_id: Annotated[UrlText, Meta(description="tasks of projects with this id")] = ""
    state: Annotated[tuple[TaskState, ...], Meta(max_length=5, description="one or more states")] = ()
    train_type: Annotated[str, Meta(max_length=80, description="tasks of this trainType")] = ""
    submitted_after: Annotated[str, Meta(max_length=40, description="a time as ISO 8601")] = ""
    submitted_before: Annotated[str, Meta(max_length=40, description="a time as ISO 8601")] = ""
    metadata: Annotated[Metadata, Meta(description="as metadata[name]=value, any number of them")] = {}
    retry_of: Annotated[TaskIdOrNone, Meta(description="the tasks that repeat this one")] = ""
    search: Annotated[
        UrlText,
        Meta(description="tasks whose taskId, userId or projectId begins with this; capital letters matter"),
    ] = ""
    sort: Annotated[TaskOrder, Meta(description="a minus means the newest first")] = "-submittedAt"
    cursor: Annotated[Cursor, Meta(description="`next` of the page before")] = ""
    limit: Annotated[int, Meta(ge=0, le=MAX_PAGE_TASKS, description="tasks on a page; 0 for the counts alone")] = 50


class EndedAttempt(msgspec.Struct, frozen=True, rename="camel"):
    """How an attempt ended that did not finish its task."""

    attempt: int
    thread: str
    code: str
    error: str
    ended_at: str | None


class FolderReport(msgspec.Struct, frozen=True, rename="camel"):
    """What was found in the project's folder: its layout, counts, and findings for its owner."""

    layout: Annotated[str, Meta(description="a row of the table in docs/layouts.md, or empty")]
    rule: Annotated[str, Meta(description="how the folder was understood, as a sentence")]
    pictures: int
    counts: Annotated[dict[str, int], Meta(description="pictures of each class")]
    split: Annotated[dict[str, int], Meta(description="pictures of each part of the folder's own split")]
    findings: Annotated[
        tuple[Finding, ...], Meta(description="what the owner of the folder should know, the gravest first")
    ]
    skipped_files: Annotated[int, Meta(description="files that may be pictures and are not used")]


class CheckView(FolderReport, frozen=True, rename="camel"):
    """What a training would find in the folder."""

    trainable: Annotated[bool, Meta(description="false if a training would fail")]


class ComparisonView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How a new model did beside the one in use, on the held-out pictures that both have."""

    with_task: Annotated[str, Meta(description="the task that made the model in use")]
    pictures: Annotated[int, Meta(description="how many pictures both models were scored on")]
    now_only_right: Annotated[int, Meta(description="pictures that only the new model has right, or better")]
    before_only_right: Annotated[int, Meta(description="pictures that only the earlier model has right, or better")]
    p_value: Annotated[float, Meta(description="how often chance alone would make the new model look this bad")]
    score_now: Annotated[float | None, Meta(description="its mean score on these pictures; null without any")]
    score_before: float | None
    promoted: Annotated[bool, Meta(description="whether models/latest was moved")]
    sentence: Annotated[str, Meta(description="the comparison in words")]


class TaskView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """All of a task. Times are ISO 8601 in UTC; null means "not yet"."""

    task_id: str
    progress: Annotated[float, Meta(ge=0.0, le=100.0, description="percent; never goes back within an attempt")]
    thread: Annotated[str, Meta(description="the name of the worker that holds the task, or empty")]
    state: TaskState
    user_id: str
    project_id: str
    project_dir: str
    train_type: str
    model_path: Annotated[
        str | UnsetType, Meta(description="the file for the website; of a done task, or the best so far")
    ] = UNSET
    warnings: Annotated[
        tuple[str, ...] | UnsetType, Meta(description="sentences for the person who has the photos")
    ] = UNSET
    skipped_files: int | UnsetType = UNSET
    error: Annotated[str | UnsetType, Meta(description="why the task failed, in words")] = UNSET
    code: Annotated[str | UnsetType, Meta(description="why the task failed, as a stable word")] = UNSET
    options: dict[str, Any]
    metadata: dict[str, str]
    attempt: int
    phase: Annotated[str, Meta(description="the stage of the training, such as features, train or export")]
    epoch: int
    epochs_max: Annotated[int, Meta(description="the most epochs of this phase, 0 if it has none")]
    waiting_for: Annotated[
        str, Meta(description="what a waiting task lacks, such as a worker with its needs; or empty")
    ] = ""
    helpers: Annotated[int, Meta(description="how many other workers help with its features now")]
    eta_seconds: float | None
    eta_range_seconds: tuple[float, float] | None
    metrics: dict[str, float]
    stage_seconds: dict[str, float]
    end_reason: str
    data_report: FolderReport | None
    promoted: Annotated[bool, Meta(description="whether models/latest was pointed to this model")]
    promoted_at: Annotated[str | None, Meta(description="when that was last done, by the gate or by a person")]
    comparison: ComparisonView | None
    stopped_early: bool
    stop_requested: Annotated[bool, Meta(description="whether somebody asked to end the training and keep its model")]
    cancel_requested: bool
    submitted_at: str | None
    started_at: str | None
    ended_at: str | None
    ended_attempts: tuple[EndedAttempt, ...]
    retry_of: Annotated[str, Meta(description="the task that this one repeats, or empty")]
    retried_by: Annotated[
        tuple[str, ...] | None,
        Meta(description="the newest tasks that repeat this one; null while the broker cannot be asked"),
    ] = ()
    request_id: Annotated[str, Meta(description="the X-Request-Id of the call that posted the task")]
    seq: Annotated[int, Meta(description="the number of the newest event that this answer reflects")]


class TaskSummary(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A task in a list."""

    task_id: str
    progress: float
    thread: str
    state: TaskState
    user_id: str
    project_id: str
    project_dir: str
    train_type: str
    metadata: dict[str, str]
    phase: str
    attempt: int
    eta_range_seconds: Annotated[
        tuple[float, float] | None,
        Meta(description="seconds until the task ends, at least and at most; null if unknown, and after its end"),
    ]
    metrics: dict[str, float]
    error: str
    code: str
    submitted_at: str | None
    started_at: str | None
    ended_at: str | None
    retry_of: str


class TaskList(msgspec.Struct, frozen=True, rename="camel"):
    """A page of a list of tasks."""

    tasks: tuple[TaskSummary, ...]
    next: Annotated[str, Meta(description="the cursor of the next page; empty after the last one")]
    counts: Annotated[dict[TaskState, int], Meta(description="tasks by state that meet all conditions but `state`")]
