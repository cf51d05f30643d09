"""The calls about this server, a part of the table in web/routes.py."""

from __future__ import annotations

from web.api.service import Health, Readiness
from web.calls.documents import AssetHandler, CallsPageHandler, ErrorsPageHandler, OpenApiHandler
from web.calls.monitoring import HealthHandler, MetricsHandler, ReadyHandler
from web.route import Call, Media, Route

SERVICE_ROUTES = (
    Route(
        "/metrics",
        MetricsHandler,
        {
            "GET": Call(
                name="getMetrics",
                summary="figures for Prometheus: queue, workers, failures, recoveries, seconds of each stage, HTTP",
                any_query=True,
                answers={200: Media("text/plain; version=1.0.0; charset=utf-8", "the text format of Prometheus")},
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
