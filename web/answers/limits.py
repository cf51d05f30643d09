"""The limits that callers are told. Pure."""

from __future__ import annotations

from conf.settings import Settings
from conf.web_settings import WebSettings
from protocol.metadata import MAX_METADATA
from protocol.task_filter import MAX_PAGE_TASKS
from web.api.predictions import MOST_PICTURES_OF_A_CALL
from web.api.server import Limits
from web.api.uploads import UploadLimits


def limits_of(settings: Settings) -> Limits:
    """The limits in this machine's settings. A broker on another machine should have the same settings."""
    web, broker = settings.web, settings.broker
    return Limits(
        max_body_bytes=web.max_body_bytes,
        max_predict_body_bytes=web.max_predict_body_bytes,
        max_predict_pictures=MOST_PICTURES_OF_A_CALL,
        uploads=upload_limits(web),
        max_pending=broker.max_pending,
        max_pending_per_user=broker.max_pending_per_user,
        max_running_per_user=broker.max_running_per_user,
        max_page_tasks=MAX_PAGE_TASKS,
        max_metadata=MAX_METADATA,
        max_streams=web.max_streams,
        max_streams_per_address=web.max_streams_per_address,
        keep_days=broker.keep_days,
    )


def upload_limits(web: WebSettings) -> UploadLimits:
    """The limits of uploads."""
    return UploadLimits(
        enabled=web.uploads,
        max_picture_bytes=web.max_upload_mb * 1024**2,
        max_pictures=web.max_upload_pictures,
        max_project_bytes=web.max_upload_project_mb * 1024**2,
    )
