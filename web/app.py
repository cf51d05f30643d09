"""The front-end from its start to its end. web/routes.py has the table of its calls."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import zmq
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from conf.curve import ClientKeys
from conf.data_roots import urls_of
from conf.endpoints import connect_endpoints
from conf.settings import LOOPBACK_HOSTS, Settings
from conf.tracing import Traces
from conf.web_settings import WebSettings
from protocol.prediction import RuntimeLimits
from web.answers.limits import limits_of
from web.api.uploads import CHUNK_BYTES
from web.broker_link.broker_pulse import BrokerPulse
from web.broker_link.broker_requests import BrokerRequests
from web.broker_link.cache_feed import CacheFeed
from web.broker_link.publications import Publications
from web.broker_link.task_cache import TaskCache
from web.browsing.thumbnail_cache import ThumbnailCache
from web.calls.compare import MOST_AT_ONCE
from web.calls.unknown_path import UnknownPathHandler
from web.documents.pages import make_documents
from web.door.body_limits import BodyLimit, BodyLimits, limit_of_parts, limit_of_pictures, usual_limit
from web.door.door_rules import ANY_ADDRESS, DoorRules
from web.door.entrance import Entrance
from web.door.listener import MAX_HEADER_BYTES, Listener
from web.door.request_lines import shown
from web.door.session_cookie import cookie_name
from web.door.token_gate import TokenGate
from web.figures.disks import Disks
from web.figures.http_figures import UNKNOWN_PATH
from web.figures.monitoring import Monitoring
from web.figures.service_figures import ServiceFigures
from web.files.corrections import CorrectionFiles
from web.files.hashed_files import HashedFiles
from web.files.log_follower import LogFollowers
from web.files.project_files import ProjectFiles
from web.folder_check import FolderChecks
from web.folders.data_roots import DataRoots
from web.folders.local_folders import LocalFolders
from web.folders.object_copies import ObjectCopies
from web.folders.object_folders import ObjectFolders
from web.folders.object_stores import ObjectStores
from web.folders.picture_counter import PictureCounter
from web.folders.storage_answers import storage_away
from web.folders.threads import Threads
from web.forecast.forecaster import Forecaster
from web.json_handler import JsonHandler
from web.live.live import Live
from web.live.stream_slots import StreamSlots
from web.prediction.pool import PICTURE_S, THUMBNAIL_S, RuntimePool
from web.promotions import Promotions
from web.routes import ROUTES
from web.services import Services
from web.uploads.service import Uploads
from web.webhooks.service import Webhooks

log = logging.getLogger("web")

#: Looks into one folder. The front-end starts it and imports nothing of it.
CHECKER = (sys.executable, "-m", "trainer_worker.checking")
#: Makes an earlier model the one in use. The same holds for it.
PROMOTER = (sys.executable, "-m", "trainer_worker.promoting")
#: Runs models on pictures. The same holds for it.
RUNTIME = (sys.executable, "-m", "trainer_worker.prediction")
#: Threads that wait for object storage: for files, and as many again for browsing.
STORAGE_THREADS = 8


def make_services(
    settings: Settings, requests: BrokerRequests, pulse: BrokerPulse, cache: TaskCache, traces: Traces | None = None
) -> Services:
    web = settings.web
    slots = StreamSlots(web.max_streams, web.max_streams_per_address)
    live = Live(cache, requests, slots, asking_s=web.request_timeout_s)
    reading = Threads("files")
    copies_folder = settings.home / "var" / "storage-copies"
    stores = ObjectStores(urls_of(web.roots()), settings.storage)
    roots = _data_roots(settings, reading, stores, copies_folder)
    files = ProjectFiles(roots, reading)
    disks = Disks(web.allowed_roots())
    monitoring = Monitoring(ServiceFigures(pulse, cache, disks, web.min_free_mb))
    monitoring.add_streams(live.slots, live.catching_up)
    rules = DoorRules(web.host, web.allowed_hosts, web.allowed_origins)
    guarded = web.host not in LOOPBACK_HOSTS and not web.allow_anonymous
    cache.report_changes_to(monitoring.tasks.changed)
    pulse.report_restarts_to(monitoring.tasks.broker_restarted)
    return Services(
        settings=web,
        roots=roots,
        requests=requests,
        pulse=pulse,
        cache=cache,
        disks=disks,
        forecaster=Forecaster(cache, lambda: pulse.tick, PictureCounter(roots).count),
        checks=FolderChecks(CHECKER, web.roots(), storage=settings.storage),
        promotions=Promotions(PROMOTER, web.roots(), storage=settings.storage),
        runtimes=RuntimePool(RUNTIME, web.predict_processes, _runtime_limits(web, copies_folder)),
        rules=rules,
        files=files,
        corrections=CorrectionFiles(roots),
        thumbnails=ThumbnailCache(),
        comparing=asyncio.Semaphore(MOST_AT_ONCE),
        hashed=HashedFiles(files),
        followers=LogFollowers(files),
        gate=TokenGate(settings.token_file, guarded, cookie_name(web.port), rules.is_own),
        monitoring=monitoring,
        documents=make_documents(ROUTES),
        limits=limits_of(settings),
        started_at_s=time.time(),
        live=live,
        uploads=Uploads(settings, stores),
        webhooks=Webhooks(settings, requests, cache, monitoring.webhooks),
        traces=traces,
    )


def _data_roots(settings: Settings, reading: Threads, stores: ObjectStores, copies_folder: Path) -> DataRoots:
    """The folders of this machine and those in object storage, each with threads of its own.

    So a storage service that hangs holds up nothing that lies on this machine.
    """
    web, texts = settings.web, list(map(str, settings.web.roots()))
    storing = Threads("storage", STORAGE_THREADS, late=storage_away)
    looking = Threads("storage-browsing", STORAGE_THREADS, late=storage_away)
    copies = ObjectCopies(copies_folder, web.storage_copies_mb * 1024**2, storing)
    return DataRoots(
        texts,
        LocalFolders(web.allowed_roots(), reading, Threads("browsing"), texts),
        ObjectFolders(stores, copies, storing, looking, texts),
    )


def _runtime_limits(web: WebSettings, copies_folder: Path) -> RuntimeLimits:
    """The limits of each runtime process. All processes share the settings' memory and this machine's cores."""
    return RuntimeLimits(
        allowed_roots=tuple(map(str, web.allowed_roots())),
        copies=str(copies_folder) if urls_of(web.roots()) else "",
        models_bytes=web.predict_memory_mb * 1024**2 // web.predict_processes,
        threads=max(1, len(os.sched_getaffinity(0)) // web.predict_processes),
        picture_s=PICTURE_S,
        thumbnail_s=THUMBNAIL_S,
    )


def handlers(services: Services) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """The table of routes, as Tornado takes it."""
    return [
        (route.pattern, route.handler, {"services": services, "route": route.template, "calls": route.calls})
        for route in ROUTES
    ]


def make_server(services: Services) -> HTTPServer:
    """Build the server. It does not listen yet, and every request passes its Entrance first."""
    application = Application(
        handlers(services),
        default_handler_class=UnknownPathHandler,
        default_handler_args={"services": services, "route": UNKNOWN_PATH, "calls": {}},
        log_function=_log_request,
        rules=services.rules,
    )
    web = services.settings
    limits = BodyLimits(usual_limit(web.max_body_bytes), _large_bodies(web), services.gate.admit)
    entrance = Entrance(application, services.rules, limits, services.monitoring.http.counted)
    # The entrance limits bodies and explains a refusal. Tornado's own limit only closes the connection.
    return HTTPServer(entrance, max_header_size=MAX_HEADER_BYTES, max_body_size=sys.maxsize)


def _large_bodies(web: WebSettings) -> dict[str, BodyLimit]:
    """The limits of the calls that take pictures, by the patterns of their paths."""
    pictures, parts = limit_of_pictures(web.max_predict_body_bytes), limit_of_parts(CHUNK_BYTES)
    calls = [(route.pattern, call) for route in ROUTES for call in route.calls.values()]
    of_pictures = {pattern: pictures for pattern, call in calls if call.files}
    return {**of_pictures, **{pattern: parts for pattern, call in calls if call.raw}}


async def serve(settings: Settings, keys: ClientKeys | None, traces: Traces | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError if the address cannot be used."""
    web = settings.web
    cache = TaskCache(web.cached_tasks)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    brokers = connect_endpoints(settings)
    requests = BrokerRequests(context, [each.web for each in brokers], keys, web.request_timeout_s)
    pulse = BrokerPulse()
    services = make_services(settings, requests, pulse, cache, traces)
    listeners = [CacheFeed(cache, requests).take, pulse.take, services.live.feed.take, services.webhooks.take]
    publications = Publications(context, [each.publish for each in brokers], keys, listeners)
    services.monitoring.service.bad_messages |= {
        "requests": lambda: requests.bad_messages,
        "publications": lambda: publications.bad_messages,
    }
    server = make_server(services)
    listener = Listener(server, web)
    listener.start()
    publications.start()
    requests.start()
    services.webhooks.start()
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
    services.followers.close()
    await services.live.close()
    await listener.finish_answers()
    await server.close_all_connections()
    await services.runtimes.close()
    services.uploads.close()
    await services.webhooks.close()
    publications.close()
    requests.close()
    context.destroy(linger=0)
    if traces is not None:
        traces.close()
    log.info("action=web.stopped")


def _log_request(handler: JsonHandler) -> None:
    """Count every answer. Log only refusals and slow calls: lines for thousands of polls would bury everything else."""
    status, took_s = handler.get_status(), handler.request.request_time() if not handler.stays_open else 0.0
    http = handler.services.monitoring.http
    if handler.stays_open:
        http.counted(handler.route, handler.request.method or "", status)
    else:
        http.answered(handler.route, handler.request.method or "", status, took_s)
    took_ms = took_s * 1000
    if status >= 400 or took_ms > 1000:
        log.info(
            "action=web.answered status=%d method=%s path=%r ms=%.0f from=%s",
            status,
            handler.request.method,
            shown(handler.request.uri or ""),
            took_ms,
            handler.request.remote_ip,
        )
