"""All routes on one screen, and the front-end's life from listening to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import zmq
from tornado.httpserver import HTTPServer
from tornado.web import Application

from conf.curve import ClientKeys
from conf.endpoints import connect_endpoints
from conf.settings import Settings, WebSettings
from web import handlers
from web.broker_client import BrokerClient
from web.forecaster import Forecaster
from web.task_cache import TaskCache

log = logging.getLogger("web")


def make_app(settings: WebSettings, client: BrokerClient, cache: TaskCache) -> Application:
    services = {
        "settings": settings,
        "allowed_roots": settings.allowed_roots(),
        "client": client,
        "cache": cache,
        "forecaster": Forecaster(cache, lambda: client.tick),
    }
    return Application(
        [
            (r"/", handlers.TaskHandler, services),
            (r"/v1/tasks/([^/]+)", handlers.TaskDetailHandler, services),
            (r"/v1/tasks/([^/]+)/stop", handlers.TaskStopHandler, services),
            (r"/v1/workers", handlers.WorkersHandler, services),
            (r"/healthz", handlers.HealthHandler, services),
            (r"/readyz", handlers.ReadyHandler, services),
        ],
        default_handler_class=handlers.UnknownPathHandler,
        default_handler_args=services,
        log_function=_log_request,
    )


async def serve(settings: Settings, keys: ClientKeys | None) -> None:
    """Listen until SIGTERM or SIGINT. OSError when the address cannot be had."""
    web = settings.web
    cache = TaskCache(web.cached_tasks)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    client = BrokerClient(context, connect_endpoints(settings), keys, cache, web.request_timeout_s)
    server = HTTPServer(make_app(web, client, cache), no_keep_alive=False, xheaders=False)
    server.listen(web.port, web.host)
    client.start()
    log.info("action=web.listening address=http://%s:%d pid=%d", web.host, web.port, os.getpid())
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    server.stop()
    await server.close_all_connections()
    client.close()
    context.destroy(linger=0)
    log.info("action=web.stopped")


def _log_request(handler: handlers.JsonHandler) -> None:
    """Refusals and slow calls; a line for each of thousands of polls would drown the transitions."""
    status, took_ms = handler.get_status(), handler.request.request_time() * 1000
    if status >= 400 or took_ms > 1000:
        log.info(
            "action=web.answered status=%d method=%s path=%r ms=%.0f from=%s",
            status,
            handler.request.method,
            handler.request.uri,
            took_ms,
            handler.request.remote_ip,
        )
