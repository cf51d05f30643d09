"""The one table of all calls: routes, OpenAPI document, the clients' types and the README follow it.

Every call can also be refused with the codes that web/route.py lists.
"""

from __future__ import annotations

from web.api.files import ArtifactList, EpochPage, EpochQuery, LogQuery
from web.api.live import EventList, EventsQuery, TaskEventsQuery
from web.api.original import BriefTask, PostedFolder, TaskById
from web.api.predictions import PicturesToPredict, Predictions
from web.api.projects import ProjectQuery, ProjectView
from web.api.tasks import CheckView, NewTask, RetryTask, TaskList, TaskListQuery, TaskQuery, TaskView
from web.api.webhooks import DeadLetter, TestResults, WebhookOverview, WebhooksQuery, WebhookTest
from web.api.workers import WorkerList, WorkerView
from web.calls.artifacts import ArtifactHandler, ArtifactsHandler, ArtifactZipHandler
from web.calls.check import CheckHandler
from web.calls.live import EventsHandler, TaskEventsHandler
from web.calls.log import EpochsHandler, LogHandler
from web.calls.original import OriginalHandler
from web.calls.predictions import PICTURE_FIELD, ProjectPredictHandler, TaskPredictHandler
from web.calls.projects import ProjectHandler
from web.calls.report import ReportHandler
from web.calls.task import StopHandler, TaskHandler
from web.calls.tasks import RetryHandler, TasksHandler
from web.calls.webhooks import DeadLetterResendHandler, WebhooksHandler, WebhookTestHandler
from web.calls.workers import DrainHandler, WorkersHandler
from web.route import Call, Media, Route
from web.service_routes import SERVICE_ROUTES

#: What a call that needs the broker, or names one task, can also be refused with.
BROKER = ("broker_away",)
ONE_TASK = ("unknown_task", *BROKER)
POSTING = (
    *("project_dir_not_allowed", "read_only_token", "user_not_allowed", "unsupported_media_type", "key_reused"),
    *("queue_full", "disk_nearly_full", "webhook_not_allowed", *BROKER),
)
LIVE = ("too_many_streams", *BROKER)
EVENT_STREAM = Media("text/event-stream", "an Event, or a Reset, as the data of each server-sent event", json=EventList)
CHECKING = (
    *("project_dir_not_allowed", "read_only_token", "user_not_allowed", "unsupported_media_type", "queue_full"),
    *("webhook_not_allowed", "check_failed"),
)
PREDICTING = (
    *("no_model", "model_changed", "model_unusable", "unsupported_media_type", "bad_picture", "picture_too_large"),
    *("predict_busy", "predict_failed", *ONE_TASK),
)

ROUTES = (
    Route(
        "/",
        OriginalHandler,
        {
            "GET": Call(
                name="pollTask",
                summary="the eight fields of a task, as the original API has them",
                query=TaskById,
                any_query=True,
                answers={200: BriefTask},
                errors=ONE_TASK,
            ),
            "POST": Call(
                name="postFolder",
                summary="train on a folder, as the original API does it",
                body=PostedFolder,
                form=True,
                answers={200: BriefTask},
                instead=CheckView,
                errors=(*POSTING, "check_failed"),
                writes=True,
            ),
        },
    ),
    Route(
        "/v1/tasks",
        TasksHandler,
        {
            "GET": Call(
                name="listTasks",
                summary="tasks by user, project, state, time or metadata, page by page",
                query=TaskListQuery,
                answers={200: TaskList},
                errors=("user_not_allowed", *BROKER),
            ),
            "POST": Call(
                name="submitTask",
                summary="train on a folder; the answer is sent when the task is on disk",
                body=NewTask,
                form=True,
                answers={202: TaskView},
                errors=POSTING,
                writes=True,
            ),
        },
    ),
    Route(
        "/v1/tasks/{taskId}",
        TaskHandler,
        {
            "GET": Call(
                name="getTask",
                summary="the whole task: phase, expected end, metrics, options, earlier attempts, report on the folder",
                query=TaskQuery,
                answers={200: TaskView},
                errors=("unknown_task", *LIVE),
            ),
            "DELETE": Call(
                name="cancelTask",
                summary="cancel: training ends and its output is removed",
                answers={200: TaskView},
                errors=("read_only_token", "task_ended", "task_left_out", *ONE_TASK),
                writes=True,
            ),
        },
    ),
    Route(
        "/v1/tasks/{taskId}/stop",
        StopHandler,
        {
            "POST": Call(
                name="stopTask",
                summary="stop early: the best model so far is exported, and the task is `done`",
                answers={200: TaskView},
                errors=("read_only_token", "task_ended", "task_left_out", "task_not_started", *ONE_TASK),
                writes=True,
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/retry",
        RetryHandler,
        {
            "POST": Call(
                name="retryTask",
                summary="a new task like this one, which has ended; options and metadata may be changed",
                body=RetryTask,
                answers={202: TaskView},
                errors=("unknown_task", "task_not_ended", *POSTING),
                writes=True,
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/report",
        ReportHandler,
        {
            "GET": Call(
                name="getReport",
                summary="the report on the finished model, a web page for people; pass its headers on too",
                answers={200: Media("text/html; charset=utf-8", "report.html of the model")},
                errors=("no_report", "file_unreadable", *ONE_TASK),
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/artifacts",
        ArtifactsHandler,
        {
            "GET": Call(
                name="listArtifacts",
                summary="the files of the model with sizes, hashes and scores; before the end, the best so far",
                answers={200: ArtifactList},
                errors=("file_unreadable", *ONE_TASK),
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/artifacts.zip",
        ArtifactZipHandler,
        {
            "GET": Call(
                name="getArtifactsZip",
                summary="all files of the model as one zip",
                answers={200: Media("application/zip", "the files of the model")},
                errors=("no_artifact", "artifact_changed", "file_unreadable", *ONE_TASK),
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/artifacts/{name...}",
        ArtifactHandler,
        {
            "GET": Call(
                name="getArtifact",
                summary="a file of the model; takes Range and If-Range, and its ETag is its SHA-256",
                answers={
                    200: Media("*/*", "the file"),
                    206: Media("*/*", "the part of the file that Range asks for"),
                    304: None,
                },
                errors=("no_artifact", "artifact_changed", "range_not_satisfiable", "file_unreadable", *ONE_TASK),
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/log",
        LogHandler,
        {
            "GET": Call(
                name="getLog",
                summary="what the training has said so far, in sentences; with follow=1 until it ends",
                query=LogQuery,
                answers={200: Media("text/plain; charset=utf-8", "log.txt of the task")},
                errors=("no_log", "too_many_streams", "file_unreadable", *ONE_TASK),
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/metrics",
        EpochsHandler,
        {
            "GET": Call(
                name="listEpochs",
                summary="loss and score of each epoch, while the task is trained and afterwards",
                query=EpochQuery,
                answers={200: EpochPage},
                errors=("no_log", "file_unreadable", *ONE_TASK),
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/events",
        TaskEventsHandler,
        {
            "GET": Call(
                name="streamTaskEvents",
                summary="what happens to the task, as a stream that ends with the task; with `wait`, as JSON",
                query=TaskEventsQuery,
                answers={200: EVENT_STREAM, 204: None},
                errors=("unknown_task", *LIVE),
            )
        },
    ),
    Route(
        "/v1/tasks/{taskId}/predict",
        TaskPredictHandler,
        {
            "POST": Call(
                name="predictWithTask",
                summary="what the task's model says of pictures: labels with probabilities, or a mask",
                body=PicturesToPredict,
                files=PICTURE_FIELD,
                answers={200: Predictions},
                errors=PREDICTING,
            )
        },
    ),
    Route(
        "/v1/events",
        EventsHandler,
        {
            "GET": Call(
                name="streamEvents",
                summary="what happens to all tasks, or those of a user or project, as a stream; with `wait`, as JSON",
                query=EventsQuery,
                answers={200: EVENT_STREAM},
                errors=("user_not_allowed", *LIVE),
            )
        },
    ),
    Route(
        "/v1/projects/{userId}/{projectId}",
        ProjectHandler,
        {
            "GET": Call(
                name="getProject",
                summary="the model in use, how models came into use, and the tasks, page by page",
                query=ProjectQuery,
                answers={200: ProjectView},
                errors=("user_not_allowed", *BROKER),
            )
        },
    ),
    Route(
        "/v1/projects/{userId}/{projectId}/predict",
        ProjectPredictHandler,
        {
            "POST": Call(
                name="predictWithProject",
                summary="the same by the model that the project uses",
                body=PicturesToPredict,
                files=PICTURE_FIELD,
                answers={200: Predictions},
                errors=PREDICTING,
            )
        },
    ),
    Route(
        "/v1/check",
        CheckHandler,
        {
            "POST": Call(
                name="checkFolder",
                summary="what a training would find in the folder, within a second or so; makes no task",
                body=NewTask,
                form=True,
                answers={200: CheckView},
                errors=CHECKING,
                writes=True,
            )
        },
    ),
    Route(
        "/v1/workers",
        WorkersHandler,
        {
            "GET": Call(
                name="listWorkers",
                summary="the workers, their devices, and what each of them trains",
                answers={200: WorkerList},
                errors=BROKER,
            )
        },
    ),
    Route(
        "/v1/workers/{name}/drain",
        DrainHandler,
        {
            "POST": Call(
                name="drainWorker",
                summary="the worker finishes its task and gets no other",
                answers={200: WorkerView},
                errors=("read_only_token", "unknown_worker", "user_not_allowed", *BROKER),
                writes=True,
            ),
            "DELETE": Call(
                name="undrainWorker",
                summary="the worker may take tasks again",
                answers={200: WorkerView},
                errors=("read_only_token", "unknown_worker", "user_not_allowed", *BROKER),
                writes=True,
            ),
        },
    ),
    Route(
        "/v1/webhooks",
        WebhooksHandler,
        {
            "GET": Call(
                name="getWebhooks",
                summary="receivers of webhooks, the newest attempts, and the dead letters page by page",
                query=WebhooksQuery,
                answers={200: WebhookOverview},
                errors=("user_not_allowed", "webhooks_unavailable"),
            )
        },
    ),
    Route(
        "/v1/webhooks/test",
        WebhookTestHandler,
        {
            "POST": Call(
                name="testWebhooks",
                summary="send a signed test to one destination or to all; the answer says what came back",
                body=WebhookTest,
                answers={200: TestResults},
                errors=("user_not_allowed", "read_only_token", "unknown_destination", "unsupported_media_type"),
                writes=True,
            )
        },
    ),
    Route(
        "/v1/webhooks/dead-letters/{deadLetterId}/resend",
        DeadLetterResendHandler,
        {
            "POST": Call(
                name="resendDeadLetter",
                summary="send a webhook again that was given up",
                answers={202: DeadLetter},
                errors=(
                    *("user_not_allowed", "read_only_token", "unknown_dead_letter", "destination_left"),
                    "webhooks_unavailable",
                ),
                writes=True,
            )
        },
    ),
    *SERVICE_ROUTES,
)
