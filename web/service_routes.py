"""The calls about this server, a part of the table in web/routes.py."""

from __future__ import annotations

from web.api.queue import QueueQuery, QueueView
from web.api.server import ServerView
from web.api.service import Health, Readiness
from web.api.train_types import TrainTypeList
from web.calls.documents import AssetHandler, CallsPageHandler, ErrorsPageHandler, OpenApiHandler
from web.calls.monitoring import HealthHandler, MetricsHandler, ReadyHandler
from web.calls.queue import QueueHandler
from web.calls.server import ServerHandler
from web.calls.train_types import TrainTypesHandler
from web.figures.monitoring import CONTENT_TYPE
from web.route import Call, Media, Route

SERVICE_ROUTES = (
    Route(
        "/v1/queue",
        QueueHandler,
        {
            "GET": Call(
                name="listQueue",
                summary="the waiting tasks in their order, with estimated starts and ends, page by page",
                query=QueueQuery,
                answers={200: QueueView},
                errors=("broker_away",),
            )
        },
    ),
    Route(
        "/v1/train-types",
        TrainTypesHandler,
        {
            "GET": Call(
                name="listTrainTypes",
                summary="what can be trained: JSON Schema of the options, and the layouts of folders",
                answers={200: TrainTypeList},
            )
        },
    ),
    Route(
        "/v1/server",
        ServerHandler,
        {
            "GET": Call(
                name="getServer",
                summary="version, limits and features of this server",
                answers={200: ServerView},
            )
        },
    ),
    Route(
        "/metrics",
        MetricsHandler,
        {
            "GET": Call(
                name="getMetrics",
                summary="figures for Prometheus: queue, workers, failures, recoveries, seconds of each stage, HTTP",
                any_query=True,
                answers={200: Media(CONTENT_TYPE, "the text format of Prometheus")},
                errors=("user_not_allowed",),
            )
        },
    ),
    Route(
        "/healthz",
        HealthHandler,
        {
            "GET": Call(
                name="getHealth",
                summary="200 while the front-end runs",
                any_query=True,
                answers={200: Health},
            )
        },
    ),
    Route(
        "/readyz",
        ReadyHandler,
        {
            "GET": Call(
                name="getReadiness",
                summary="200 when a task could be trained now, otherwise what is missing",
                any_query=True,
                answers={200: Readiness, 503: Readiness},
            )
        },
    ),
    Route(
        "/openapi.json",
        OpenApiHandler,
        {
            "GET": Call(
                name="getOpenApi",
                summary="this API for programs, as OpenAPI 3.1",
                any_query=True,
                answers={200: Media("application/json", "the OpenAPI document"), 304: None},
            )
        },
    ),
    Route(
        "/docs",
        CallsPageHandler,
        {
            "GET": Call(
                name="getDocs",
                summary="all calls, on a page that can also make them",
                any_query=True,
                answers={200: Media("text/html; charset=utf-8", "the page"), 304: None},
            )
        },
    ),
    Route(
        "/docs/errors",
        ErrorsPageHandler,
        {
            "GET": Call(
                name="getErrorDocs",
                summary="what each error code means, and what to do",
                any_query=True,
                answers={200: Media("text/html; charset=utf-8", "the page"), 304: None},
            )
        },
    ),
    Route(
        "/docs/assets/{asset}",
        AssetHandler,
        {
            "GET": Call(
                name="getDocsAsset",
                summary="the scripts and styles of these pages",
                any_query=True,
                answers={200: Media("*/*", "the file"), 304: None},
                errors=("unknown_path",),
            )
        },
    ),
)
