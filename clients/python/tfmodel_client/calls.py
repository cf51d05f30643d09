"""The calls that are one request each, or one request a page. A call's parameters are those of the HTTP call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

import msgspec

from tfmodel_client.paths import path_of, query_of
from tfmodel_client.retrying import KEY, ask, new_id
from tfmodel_client.steps import Give, ItemPlan, Plan, Request
from tfmodel_client.types import (
    ArtifactList,
    Check,
    ComparedTasks,
    Corrections,
    DeadLetter,
    EpochPage,
    EpochRecord,
    FolderListing,
    Project,
    Queue,
    Server,
    Task,
    TaskList,
    TaskSummary,
    TestResults,
    TokenList,
    TrainTypeList,
    WebhookOverview,
    Worker,
    WorkerList,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tfmodel_client.types import TaskFilters


class SubmissionExtras(TypedDict, total=False):
    """What `submit` takes beside the folder. A missing one is left to the server."""

    options: Mapping[str, object]
    metadata: Mapping[str, str]
    webhook: str
    key: str


class _ChangedPicture(TypedDict):
    """Which picture, and what is said of it.

    picture: its path in the folder. action: label, if it shows the class `label`; exclude, if it is not to be used;
    keep, if its label is right; none, to remove what was said before.
    """

    picture: str
    action: Literal["label", "exclude", "keep", "none"]


class CorrectionChange(_ChangedPicture, total=False):
    """One of the changes that `correct` takes. label: only with the action label."""

    label: str


def submit(
    user_id: str, project_id: str, project_dir: str, train_type: str, **more: Unpack[SubmissionExtras]
) -> Plan[Task]:
    """Post a folder for training.

    project_dir: as the server sees it. train_type: such as "classification".
    options: those of the trainType, by their names in docs/options.md. metadata: up to 20 strings that the task keeps.
    webhook: the URL that is told of each event, where the server allows its host. key: the Idempotency-Key; two calls
    with one key make one task. Without it every call makes a task, however often it is tried.
    """
    key = more.pop("key", "") or new_id()
    return ask(post("/v1/tasks", key, _fields(user_id, project_id, project_dir, train_type, more)), Task)


def check(
    user_id: str, project_id: str, project_dir: str, train_type: str, options: Mapping[str, object] | None = None
) -> Plan[Check]:
    """What a training would find in a folder. No task is made."""
    more: SubmissionExtras = {"options": options or {}}
    return ask(post("/v1/check", new_id(), _fields(user_id, project_id, project_dir, train_type, more)), Check)


def task(task_id: str) -> Plan[Task]:
    """A task as it is now."""
    return ask(Request("GET", path_of("v1", "tasks", task_id)), Task)


def task_page(**filters: Unpack[TaskFilters]) -> Plan[TaskList]:
    """One page of the list of tasks; its `next` is the `cursor` of the next page, "" at the end."""
    return ask(Request("GET", "/v1/tasks", query_of(filters)), TaskList)


def tasks(**filters: Unpack[TaskFilters]) -> ItemPlan[TaskSummary]:
    """All tasks that the filters let through, page after page. `limit` is the size of a page."""
    while True:
        page = yield from task_page(**filters)
        yield from map(Give, page.tasks)
        if not page.next:
            return
        filters["cursor"] = page.next


def stop(task_id: str) -> Plan[Task]:
    """End a training early and keep its best model so far."""
    return ask(post(path_of("v1", "tasks", task_id, "stop"), new_id()), Task)


def promote(task_id: str) -> Plan[Task]:
    """Make the model of a done task the one that its project uses."""
    return ask(post(path_of("v1", "tasks", task_id, "promote"), new_id()), Task)


def cancel(task_id: str) -> Plan[Task]:
    """End a task without a model."""
    return ask(Request("DELETE", path_of("v1", "tasks", task_id)), Task)


def retry(
    task_id: str,
    options: Mapping[str, object] | None = None,
    metadata: Mapping[str, str] | None = None,
    key: str = "",
) -> Plan[Task]:
    """A new task with the fields of one that has ended.

    options: those to change; None as a value stands for the default. metadata: in place of the earlier task's.
    key: as for `submit`.
    """
    fields = {"options": options or {}, **({} if metadata is None else {"metadata": metadata})}
    return ask(post(path_of("v1", "tasks", task_id, "retry"), key or new_id(), fields), Task)


def epochs(task_id: str) -> ItemPlan[EpochRecord]:
    """What each epoch of a task's training came to so far."""
    after = 0
    while True:
        query = query_of({"after": after})
        page = yield from ask(Request("GET", path_of("v1", "tasks", task_id, "metrics"), query), EpochPage)
        yield from map(Give, page.epochs)
        if not page.epochs:
            return
        after = page.next


def artifacts(task_id: str) -> Plan[ArtifactList]:
    """The files of a task's model. While the task trains, those of the best model so far, if there is one."""
    return ask(Request("GET", path_of("v1", "tasks", task_id, "artifacts")), ArtifactList)


def compare(*task_ids: str) -> Plan[ComparedTasks]:
    """How the scores of finished tasks differ, with intervals, and the pictures on which the tasks disagree.

    task_ids: two to four tasks of one user and trainType. Each is compared with the first one.
    """
    return ask(Request("GET", "/v1/compare", query_of({"tasks": task_ids})), ComparedTasks)


def corrections(user_id: str, project_dir: str) -> Plan[Corrections]:
    """What a person has said of single pictures of a folder, as its corrections.csv has it."""
    query = query_of({"user_id": user_id, "project_dir": project_dir})
    return ask(Request("GET", "/v1/corrections", query), Corrections)


def correct(user_id: str, project_id: str, project_dir: str, changes: Sequence[CorrectionChange]) -> Plan[Corrections]:
    """Change corrections of pictures of a folder. All changes are made, or none. The next training respects them.

    changes: such as {"picture": "rose/1.jpg", "action": "label", "label": "tulip"}, at most 500.
    """
    fields = {"userId": user_id, "projectId": project_id, "projectDir": project_dir, "changes": changes}
    return ask(post("/v1/corrections", new_id(), fields), Corrections)


def folder(path: str = "", cursor: str = "", limit: int | None = None) -> Plan[FolderListing]:
    """One page of a folder in the data roots: folders, then pictures. path: "" for the folders at the top.

    cursor: `next` of the page before.
    """
    return ask(Request("GET", "/v1/folders", query_of({"path": path, "cursor": cursor, "limit": limit})), FolderListing)


def project(user_id: str, project_id: str, cursor: str = "", limit: int | None = None) -> Plan[Project]:
    """A project: its latest model, what the gate between versions has decided, and one page of its tasks.

    cursor: `next` of the page before.
    """
    query = query_of({"cursor": cursor or None, "limit": limit})
    return ask(Request("GET", path_of("v1", "projects", user_id, project_id), query), Project)


def workers() -> Plan[WorkerList]:
    """The registered workers."""
    return ask(Request("GET", "/v1/workers"), WorkerList)


def drain(name: str) -> Plan[Worker]:
    """Give a worker no new tasks. The one that it trains goes on to its end."""
    return ask(post(path_of("v1", "workers", name, "drain"), new_id()), Worker)


def undrain(name: str) -> Plan[Worker]:
    """Give a worker tasks again."""
    return ask(Request("DELETE", path_of("v1", "workers", name, "drain")), Worker)


def queue(cursor: int = 0, limit: int | None = None) -> Plan[Queue]:
    """One page of the waiting tasks, in the order in which they start. cursor: `next` of the page before."""
    return ask(Request("GET", "/v1/queue", query_of({"cursor": cursor or None, "limit": limit})), Queue)


def train_types() -> Plan[TrainTypeList]:
    """The kinds of model that this server trains, each with the JSON Schema of its options."""
    return ask(Request("GET", "/v1/train-types"), TrainTypeList)


def server() -> Plan[Server]:
    """The version of the server, its limits and its features."""
    return ask(Request("GET", "/v1/server"), Server)


def tokens() -> Plan[TokenList]:
    """The tokens of this server with their rights, without their secrets."""
    return ask(Request("GET", "/v1/tokens"), TokenList)


def webhooks(cursor: int = 0, limit: int | None = None) -> Plan[WebhookOverview]:
    """The receivers of webhooks, the newest attempts, and one page of what was given up. cursor: `next` of the page."""
    return ask(Request("GET", "/v1/webhooks", query_of({"cursor": cursor or None, "limit": limit})), WebhookOverview)


def send_test_webhooks(destination: str = "") -> Plan[TestResults]:
    """Send a signed test to a receiver, or to all of them. destination: its name in the settings; "" for all."""
    return ask(post("/v1/webhooks/test", "", {"destination": destination}), TestResults)


def resend(dead_letter_id: int) -> Plan[DeadLetter]:
    """Send a webhook again that was given up. dead_letter_id: as `webhooks` lists it."""
    return ask(post(path_of("v1", "webhooks", "dead-letters", str(dead_letter_id), "resend"), ""), DeadLetter)


def post(path: str, key: str, fields: Mapping[str, object] | None = None) -> Request:
    """A POST of JSON. key: the Idempotency-Key; "" for a call that would do something twice if it came twice."""
    return Request(
        "POST",
        path,
        headers={**({KEY: key} if key else {}), **({"Content-Type": "application/json"} if fields is not None else {})},
        body=msgspec.json.encode(fields) if fields is not None else b"",
    )


def _fields(
    user_id: str, project_id: str, project_dir: str, train_type: str, more: SubmissionExtras
) -> dict[str, object]:
    unknown = more.keys() - SubmissionExtras.__annotations__.keys()
    if unknown:
        raise TypeError(
            f"submit takes no {', '.join(sorted(unknown))}; it takes {', '.join(SubmissionExtras.__annotations__)}."
        )
    named = {"userId": user_id, "projectId": project_id, "projectDir": project_dir, "trainType": train_type}
    return named | {name: value for name, value in more.items() if value}
