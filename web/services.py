"""The services that handlers use. web/app.py makes them."""

from __future__ import annotations

import asyncio

import msgspec

from conf.tracing import Traces
from conf.web_settings import WebSettings
from web.api.server import Limits
from web.broker_link.broker_pulse import BrokerPulse
from web.broker_link.broker_requests import BrokerRequests
from web.broker_link.task_cache import TaskCache
from web.browsing.thumbnail_cache import ThumbnailCache
from web.documents.pages import Documents
from web.door.door_rules import DoorRules
from web.door.token_gate import TokenGate
from web.figures.disks import Disks
from web.figures.monitoring import Monitoring
from web.files.corrections import CorrectionFiles
from web.files.hashed_files import HashedFiles
from web.files.log_follower import LogFollowers
from web.files.project_files import ProjectFiles
from web.folder_check import FolderChecks
from web.folders.data_roots import DataRoots
from web.forecast.forecaster import Forecaster
from web.live.live import Live
from web.prediction.pool import RuntimePool
from web.promotions import Promotions
from web.uploads.service import Uploads
from web.webhooks.service import Webhooks


class Services(msgspec.Struct, frozen=True):
    """One of each for the whole front-end.

    comparing: held while the files of tasks are read and compared, because they may take much memory.
    """

    settings: WebSettings
    roots: DataRoots
    requests: BrokerRequests
    pulse: BrokerPulse
    cache: TaskCache
    disks: Disks
    forecaster: Forecaster
    checks: FolderChecks
    promotions: Promotions
    runtimes: RuntimePool
    files: ProjectFiles
    corrections: CorrectionFiles
    thumbnails: ThumbnailCache
    comparing: asyncio.Semaphore
    hashed: HashedFiles
    followers: LogFollowers
    rules: DoorRules
    gate: TokenGate
    monitoring: Monitoring
    documents: Documents
    limits: Limits
    started_at_s: float
    live: Live
    uploads: Uploads
    webhooks: Webhooks
    traces: Traces | None
