"""The one table of all calls: routes, OpenAPI document, the clients' types and the README follow it.

web/route.py explains the columns, and lists the codes with which every call can be refused.
"""

from __future__ import annotations

from protocol.events import Event
from web.api.compare import ComparedTasks, CompareQuery
from web.api.corrections import ChangeCorrections, CorrectionsQuery, CorrectionsView
from web.api.files import ArtifactList, EpochPage, EpochQuery, LogQuery
from web.api.folders import FolderListing, FolderQuery, PictureQuery, ThumbnailQuery
from web.api.live import EventList, EventsQuery, Reset, TaskEventsQuery
from web.api.original import BriefTask, PostedFolder, TaskById
from web.api.predictions import PicturesToPredict, Predictions
from web.api.projects import ProjectQuery, ProjectView
from web.api.queue import QueueQuery, QueueView
from web.api.server import ServerView
from web.api.service import Health, Readiness
from web.api.session import NewSession, SessionView
from web.api.tasks import CheckView, NewTask, RetryTask, TaskList, TaskListQuery, TaskQuery, TaskView
from web.api.tokens import TokenList
from web.api.train_types import TrainTypeList
from web.api.uploads import NewUpload, ProjectUploads, UploadsQuery, UploadView
from web.api.webhooks import DeadLetter, TestResults, WebhookOverview, WebhooksQuery, WebhookTest
from web.api.workers import WorkerList, WorkerView
from web.calls.artifacts import ArtifactHandler, ArtifactsHandler, ArtifactZipHandler
from web.calls.check import CheckHandler
from web.calls.compare import CompareHandler
from web.calls.corrections import CorrectionsHandler
from web.calls.documents import CallsPageHandler, ErrorsPageHandler, OpenApiHandler, StaticHandler
from web.calls.folders import FoldersHandler
from web.calls.live import EventsHandler, TaskEventsHandler
from web.calls.log import EpochsHandler, LogHandler
from web.calls.monitoring import HealthHandler, MetricsHandler, ReadyHandler
from web.calls.original import OriginalHandler
from web.calls.predictions import PICTURE_FIELD, ProjectPredictHandler, TaskPredictHandler
from web.calls.projects import ProjectHandler
from web.calls.queue import QueueHandler
from web.calls.report import ReportHandler
from web.calls.server import ServerHandler
from web.calls.session import SessionHandler
from web.calls.task import PromoteHandler, StopHandler, TaskHandler
from web.calls.tasks import RetryHandler, TasksHandler
from web.calls.thumbnails import TaskPictureHandler, ThumbnailHandler
from web.calls.tokens import TokensHandler
from web.calls.train_types import TrainTypesHandler
from web.calls.uploads import OFFSET_HEADER, RAW_TYPE, UploadHandler, UploadsHandler
from web.calls.webhooks import DeadLetterResendHandler, WebhooksHandler, WebhookTestHandler
from web.calls.workers import DrainHandler, WorkersHandler
from web.figures.monitoring import CONTENT_TYPE
from web.route import Call, Media, Route

#: What a call that needs the broker, or names one task, can also be refused with.
BROKER = ("broker_away",)
#: What a call that reads from a project folder can also be refused with.
READING = ("file_unreadable", "storage_away")
ONE_TASK = ("unknown_task", *BROKER)
POSTING = (
    *("project_dir_not_allowed", "user_not_allowed", "unsupported_media_type", "key_reused"),
    *("queue_full", "disk_nearly_full", "webhook_not_allowed", "needs_unmet", "storage_away", *BROKER),
)
LIVE = ("too_many_streams", *BROKER)
EVENT_STREAM = Media(
    "text/event-stream",
    "an Event, or a Reset, as the data of each server-sent event",
    json=EventList,
    events=(Event, Reset),
)
CHECKING = (
    *("project_dir_not_allowed", "user_not_allowed", "unsupported_media_type", "queue_full"),
    *("webhook_not_allowed", "check_failed", "storage_away"),
)
CORRECTING = ("project_dir_not_allowed", "user_not_allowed", "corrections_unusable", *READING)
PREDICTING = (
    *("no_model", "model_changed", "model_unusable", "unsupported_media_type", "bad_picture", "picture_too_large"),
    *("predict_busy", "predict_failed", *READING, *ONE_TASK),
)
JPEG = Media("image/jpeg", "the small copy of the picture")
SHOWING = ("no_picture", "bad_picture", "picture_too_large", "thumbnails_busy", "predict_failed", *READING)
UPLOADING = ("user_not_allowed", "uploads_off", "disk_nearly_full", "uploads_unavailable", "storage_away")

# Two or three lines a call keep the table on a few screens; the formatter would give each argument a line of its own.
# fmt: off
ROUTES = (
    Route("/", OriginalHandler,
        get=Call("pollTask", "the eight fields of a task, as the original API has them; a browser gets the page",
            {200: BriefTask}, query=TaskById, any_query=True, errors=ONE_TASK),
        post=Call("postFolder", "train on a folder, as the original API does it",
            {200: BriefTask}, body=PostedFolder, form=True, instead=CheckView, errors=(*POSTING, "check_failed"),
            writes=True)),
    Route("/v1/tasks", TasksHandler,
        get=Call("listTasks", "tasks by user, project, state, time or metadata, page by page",
            {200: TaskList}, query=TaskListQuery, errors=("user_not_allowed", *BROKER)),
        post=Call("submitTask", "train on a folder; the answer is sent when the task is on disk",
            {202: TaskView}, body=NewTask, form=True, errors=POSTING, writes=True)),
    Route("/v1/tasks/{taskId}", TaskHandler,
        get=Call("getTask",
            "the whole task: phase, expected end, metrics, options, earlier attempts, report on the folder",
            {200: TaskView}, query=TaskQuery, errors=("unknown_task", *LIVE)),
        delete=Call("cancelTask", "cancel: training ends and its output is removed",
            {200: TaskView}, errors=("task_ended", "task_left_out", *ONE_TASK), writes=True)),
    Route("/v1/tasks/{taskId}/stop", StopHandler,
        post=Call("stopTask", "stop early: the best model so far is exported, and the task is `done`",
            {200: TaskView}, errors=("task_ended", "task_left_out", "task_not_started", *ONE_TASK), writes=True)),
    Route("/v1/tasks/{taskId}/retry", RetryHandler,
        post=Call("retryTask", "a new task like this one, which has ended; options and metadata may be changed",
            {202: TaskView}, body=RetryTask, errors=("unknown_task", "task_not_ended", *POSTING), writes=True)),
    Route("/v1/tasks/{taskId}/promote", PromoteHandler,
        post=Call("promoteTask", "make the model of this done task the one in use, which `models/latest` names",
            {200: TaskView}, errors=("no_model", "model_changed", "promote_failed", *ONE_TASK), writes=True)),
    Route("/v1/tasks/{taskId}/report", ReportHandler,
        get=Call("getReport", "the report on the finished model, a web page for people; pass its headers on too",
            {200: Media("text/html; charset=utf-8", "report.html of the model")},
            errors=("no_report", *READING, *ONE_TASK))),
    Route("/v1/tasks/{taskId}/artifacts", ArtifactsHandler,
        get=Call("listArtifacts",
            "the files of the model with sizes, hashes and scores; before the end, the best so far",
            {200: ArtifactList}, errors=(*READING, *ONE_TASK))),
    Route("/v1/tasks/{taskId}/artifacts.zip", ArtifactZipHandler,
        get=Call("getArtifactsZip", "all files of the model as one zip",
            {200: Media("application/zip", "the files of the model")},
            errors=("no_artifact", "artifact_changed", *READING, *ONE_TASK))),
    Route("/v1/tasks/{taskId}/artifacts/{name...}", ArtifactHandler,
        get=Call("getArtifact", "a file of the model; takes Range and If-Range, and its ETag is its SHA-256",
            {200: Media("*/*", "the file"), 206: Media("*/*", "the part of the file that Range asks for"), 304: None,
                307: None},
            errors=("no_artifact", "artifact_changed", "range_not_satisfiable", *READING, *ONE_TASK))),
    Route("/v1/tasks/{taskId}/pictures/{name...}", TaskPictureHandler,
        get=Call("getTaskPicture", "a small copy of a picture in the task's project folder, named as in metrics.json",
            {200: JPEG, 304: None}, query=PictureQuery, errors=(*SHOWING, *ONE_TASK))),
    Route("/v1/tasks/{taskId}/log", LogHandler,
        get=Call("getLog", "what the training has said so far, in sentences; with follow=1 until it ends",
            {200: Media("text/plain; charset=utf-8", "log.txt of the task")}, query=LogQuery,
            errors=("no_log", "too_many_streams", *READING, *ONE_TASK))),
    Route("/v1/tasks/{taskId}/metrics", EpochsHandler,
        get=Call("listEpochs", "loss and score of each epoch, while the task is trained and afterwards",
            {200: EpochPage}, query=EpochQuery, errors=("no_log", *READING, *ONE_TASK))),
    Route("/v1/tasks/{taskId}/events", TaskEventsHandler,
        get=Call("streamTaskEvents",
            "what happens to the task, as a stream that ends with the task; with `wait`, as JSON",
            {200: EVENT_STREAM, 204: None}, query=TaskEventsQuery, errors=("unknown_task", *LIVE))),
    Route("/v1/tasks/{taskId}/predict", TaskPredictHandler,
        post=Call("predictWithTask", "what the task's model says of pictures: labels with probabilities, or a mask",
            {200: Predictions}, body=PicturesToPredict, files=PICTURE_FIELD, errors=PREDICTING)),
    Route("/v1/events", EventsHandler,
        get=Call("streamEvents",
            "what happens to all tasks, or those of a user or project, as a stream; with `wait`, as JSON",
            {200: EVENT_STREAM}, query=EventsQuery, errors=("user_not_allowed", *LIVE))),
    Route("/v1/projects/{userId}/{projectId}", ProjectHandler,
        get=Call("getProject", "the model in use, how models came into use, and the tasks, page by page",
            {200: ProjectView}, query=ProjectQuery, errors=("user_not_allowed", *BROKER))),
    Route("/v1/projects/{userId}/{projectId}/predict", ProjectPredictHandler,
        post=Call("predictWithProject", "what the model that the project uses says of pictures",
            {200: Predictions}, body=PicturesToPredict, files=PICTURE_FIELD, errors=PREDICTING)),
    Route("/v1/compare", CompareHandler,
        get=Call("compareTasks", "score differences of tasks with intervals, and the pictures on which they disagree",
            {200: ComparedTasks}, query=CompareQuery,
            errors=("no_artifact", "artifact_changed", *READING, *ONE_TASK))),
    Route("/v1/folders", FoldersHandler,
        get=Call("listFolder", "the folders and pictures in a folder below the data roots, page by page",
            {200: FolderListing}, query=FolderQuery, errors=("path_not_allowed", "no_folder", *READING))),
    Route("/v1/thumbnails", ThumbnailHandler,
        get=Call("getThumbnail", "a small copy of a picture below the data roots, upright",
            {200: JPEG, 304: None}, query=ThumbnailQuery, errors=("path_not_allowed", *SHOWING))),
    Route("/v1/uploads", UploadsHandler,
        get=Call("getUploads", "what lies in the folder of an uploaded project: classes, pictures, limits",
            {200: ProjectUploads}, query=UploadsQuery, errors=UPLOADING),
        post=Call("beginUpload", "begin to upload a picture into a class of a project, unless it is there already",
            {201: UploadView}, body=NewUpload, writes=True,
            errors=("unsupported_media_type", "picture_too_large", "project_full", "uploads_busy", *UPLOADING))),
    Route("/v1/uploads/{uploadId}", UploadHandler,
        get=Call("getUpload", "how far an upload is, to go on after an interruption",
            {200: UploadView}, errors=("unknown_upload", "bad_picture", *UPLOADING)),
        post=Call("sendPart", "the next part of a picture; with the last one it is put into its project",
            {200: UploadView}, raw=RAW_TYPE, writes=True,
            headers={OFFSET_HEADER: "how many bytes have arrived; the part begins there"},
            errors=("unknown_upload", "wrong_offset", "bad_picture", "unsupported_media_type", "uploads_busy",
                *UPLOADING))),
    Route("/v1/check", CheckHandler,
        post=Call("checkFolder", "what a training would find in the folder, within a second or so; makes no task",
            {200: CheckView}, body=NewTask, form=True, errors=CHECKING, writes=True)),
    Route("/v1/corrections", CorrectionsHandler,
        get=Call("getCorrections", "a person's corrections of single pictures of the folder, from its corrections.csv",
            {200: CorrectionsView}, query=CorrectionsQuery, errors=CORRECTING),
        post=Call("changeCorrections",
            "leave pictures out, move them to another class, or confirm their label; trainings respect it",
            {200: CorrectionsView}, body=ChangeCorrections,
            errors=(*CORRECTING, "unsupported_media_type", "disk_nearly_full"), writes=True)),
    Route("/v1/workers", WorkersHandler,
        get=Call("listWorkers", "the workers, their devices, and what each of them trains",
            {200: WorkerList}, errors=BROKER)),
    Route("/v1/workers/{name}/drain", DrainHandler,
        post=Call("drainWorker", "the worker finishes its task and gets no other",
            {200: WorkerView}, errors=("unknown_worker", "user_not_allowed", *BROKER), writes=True),
        delete=Call("undrainWorker", "the worker may take tasks again",
            {200: WorkerView}, errors=("unknown_worker", "user_not_allowed", *BROKER), writes=True)),
    Route("/v1/webhooks", WebhooksHandler,
        get=Call("getWebhooks", "receivers of webhooks, the newest attempts, and the dead letters page by page",
            {200: WebhookOverview}, query=WebhooksQuery, errors=("user_not_allowed", "webhooks_unavailable"))),
    Route("/v1/webhooks/test", WebhookTestHandler,
        post=Call("testWebhooks", "send a signed test to one destination or to all; the answer says what came back",
            {200: TestResults}, body=WebhookTest,
            errors=("user_not_allowed", "unknown_destination", "unsupported_media_type"),
            writes=True)),
    Route("/v1/webhooks/dead-letters/{deadLetterId}/resend", DeadLetterResendHandler,
        post=Call("resendDeadLetter", "send a webhook again that was given up",
            {202: DeadLetter}, writes=True,
            errors=("user_not_allowed", "unknown_dead_letter", "destination_left", "webhooks_unavailable"))),
    Route("/v1/queue", QueueHandler,
        get=Call("listQueue", "the waiting tasks in their order, with estimated starts and ends, page by page",
            {200: QueueView}, query=QueueQuery, errors=BROKER)),
    Route("/v1/train-types", TrainTypesHandler,
        get=Call("listTrainTypes", "what can be trained: JSON Schema of the options, and the layouts of folders",
            {200: TrainTypeList})),
    Route("/v1/server", ServerHandler,
        get=Call("getServer", "versions, limits, features and free disk space of this server",
            {200: ServerView})),
    Route("/v1/tokens", TokensHandler,
        get=Call("listTokens", "the tokens of this server with their rights, without their secrets",
            {200: TokenList}, errors=("user_not_allowed",))),
    Route("/v1/session", SessionHandler,
        get=Call("getSession", "who the caller is, and whether a token is needed; needs none",
            {200: SessionView}, errors=("tokens_unreadable",)),
        post=Call("signIn", "exchange a token for a cookie, with which a browser's page makes all calls for a week",
            {200: SessionView}, body=NewSession,
            errors=("unauthorized", "unsupported_media_type", "tokens_unreadable")),
        delete=Call("signOut", "remove that cookie from the browser",
            {200: SessionView}, errors=("tokens_unreadable",))),
    Route("/metrics", MetricsHandler,
        get=Call("getMetrics",
            "figures for Prometheus: queue, workers, failures, recoveries, seconds of each stage, HTTP",
            {200: Media(CONTENT_TYPE, "the text format of Prometheus")}, any_query=True,
            errors=("user_not_allowed",))),
    Route("/healthz", HealthHandler,
        get=Call("getHealth", "200 while the front-end runs",
            {200: Health}, any_query=True)),
    Route("/readyz", ReadyHandler,
        get=Call("getReadiness", "200 if a task could be trained, else what is missing; draining workers do not count",
            {200: Readiness, 503: Readiness}, any_query=True)),
    Route("/openapi.json", OpenApiHandler,
        get=Call("getOpenApi", "this API for programs, as OpenAPI 3.1",
            {200: Media("application/json", "the OpenAPI document"), 304: None}, any_query=True)),
    Route("/docs", CallsPageHandler,
        get=Call("getDocs", "all calls, on a page that can also make them",
            {200: Media("text/html; charset=utf-8", "the page"), 304: None}, any_query=True)),
    Route("/docs/errors", ErrorsPageHandler,
        get=Call("getErrorDocs", "what each error code means, and what to do",
            {200: Media("text/html; charset=utf-8", "the page"), 304: None}, any_query=True)),
    Route("/static/{version}/{file...}", StaticHandler,
        get=Call("getStaticFile", "the scripts and styles of the pages",
            {200: Media("*/*", "the file"), 304: None}, any_query=True, errors=("unknown_path",))),
)
# fmt: on
