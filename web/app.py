"""All routes on one screen, and the front-end from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import zmq
from tornado.httpserver import HTTPServer
from tornado.web import Application

from conf.curve import ClientKeys
from conf.endpoints import connect_endpoints
from conf.settings import LOOPBACK_HOSTS, Settings
from web import handlers
from web.broker_pulse import BrokerPulse
from web.broker_requests import BrokerRequests
from web.cache_feed import CacheFeed
from web.door_rules import ANY_ADDRESS, DoorRules
from web.entrance import Entrance
from web.folder_check import FolderChecks
from web.forecaster import Forecaster
from web.json_handler import JsonHandler, Services
from web.listener import MAX_HEADER_BYTES, Listener
from web.publications import Publications
from web.report_file import ReportFiles
from web.report_handler import TaskReportHandler
from web.request_lines import shown
from web.task_cache import TaskCache
from web.token_gate import TokenGate

log = logging.getLogger("web")

#: Looks into one folder. The front-end starts it and imports nothing of it.
CHECKER = (sys.executable, "-m", "trainer_worker.checking")


def make_services(settings: Settings, requests: BrokerRequests, pulse: BrokerPulse, cache: TaskCache) -> Services:
    web = settings.web
    return Services(
        settings=web,
        allowed_roots=web.allowed_roots(),
        requests=requests,
        pulse=pulse,
        cache=cache,
        forecaster=Forecaster(cache, lambda: pulse.tick),
        checks=FolderChecks(CHECKER, web.allowed_roots()),
        reports=ReportFiles(web.allowed_roots()),
        rules=DoorRules(web.host, web.allowed_hosts, web.allowed_origins, web.max_body_bytes),
        gate=TokenGate(settings.token_file, needed=web.host not in LOOPBACK_HOSTS and not web.allow_anonymous),
    )


def make_server(services: Services) -> HTTPServer:
    """Build the server. It does not listen yet, and every request passes its Entrance first."""
    given = {"services": services}
    application = Application(
        [
            (r"/", handlers.TaskHandler, given),
            (r"/v1/tasks/([^/]+)", handlers.TaskDetailHandler, given),
            (r"/v1/tasks/([^/]+)/stop", handlers.TaskStopHandler, given),
            (r"/v1/tasks/([^/]+)/report", TaskReportHandler, given),
            (r"/v1/check", handlers.CheckHandler, given),
            (r"/v1/workers", handlers.WorkersHandler, given),
            (r"/healthz", handlers.HealthHandler, given),
            (r"/readyz", handlers.ReadyHandler, given),
        ],
        default_handler_class=handlers.UnknownPathHandler,
        default_handler_args=given,
        log_function=_log_request,
        rules=services.rules,
    )
    entrance = Entrance(application, services.rules, services.settings.max_body_bytes)
    # The entrance limits bodies and explains a refusal. Tornado's own limit only closes the connection.
    return HTTPServer(entrance, max_header_size=MAX_HEADER_BYTES, max_body_size=sys.maxsize)


async def serve(settings: Settings, keys: ClientKeys | None) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError if the address cannot be used."""
    web = settings.web
    cache = TaskCache(web.cached_tasks)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    endpoints = connect_endpoints(settings)
    requests, pulse = BrokerRequests(context, endpoints.web, keys, web.request_timeout_s), BrokerPulse()
    listeners = [CacheFeed(cache, requests).take, pulse.take]
    publications = Publications(context, endpoints.publish, keys, listeners)
    server = make_server(make_services(settings, requests, pulse, cache))
    listener = Listener(server, web)
    listener.start()
    publications.start()
    requests.start()
    log.info("action=web.listening address=http://%s:%d pid=%d", web.host, web.port, os.getpid())
    if web.host in ANY_ADDRESS and not web.allowed_hosts:
        log.warning(
            "action=web.loopback_hosts_only reason='callers on other machines are refused until [web] allowed_hosts "
            "has the name or address by which they call this machine'"
        )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()
    listener.close()
    await server.close_all_connections()
    publications.close()
    requests.close()
    context.destroy(linger=0)
    log.info("action=web.stopped")


def _log_request(handler: JsonHandler) -> None:
    """Log only refusals and slow calls. Lines for thousands of polls would bury everything else."""
    status, took_ms = handler.get_status(), handler.request.request_time() * 1000
    if status >= 400 or took_ms > 1000:
        log.info(
            "action=web.answered status=%d method=%s path=%r ms=%.0f from=%s",
            status,
            handler.request.method,
            shown(handler.request.uri or ""),
            took_ms,
            handler.request.remote_ip,
        )
