"""`/v1/server`: this server, for callers."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import time

from protocol.events import iso
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from protocol.version import VERSION
from web.api.server import Disk, Features, Links, ServerView, Versions
from web.json_handler import JsonHandler


class ServerHandler(JsonHandler):
    """GET tells version, limits, features and free space."""

    async def get(self) -> None:
        services, now_s = self.services, time.time()
        min_free_bytes = services.settings.min_free_mb * 2**20
        spaces = await services.disks.look()
        self.send(
            ServerView(
                version=VERSION,
                started_at=iso(services.started_at_s),
                uptime_seconds=round(max(0.0, now_s - services.started_at_s), 1),
                limits=services.limits,
                features=Features(
                    tokens=services.gate.needs_tokens,
                    webhooks=bool(services.webhooks.receivers.names),
                    train_types=tuple(OPTIONS_BY_TRAIN_TYPE),
                ),
                disks=tuple(
                    Disk(
                        path=str(root),
                        free_bytes=space.free_bytes if space else None,
                        total_bytes=space.total_bytes if space else None,
                        min_free_bytes=min_free_bytes,
                    )
                    for root, space in spaces.items()
                ),
                versions=_versions(),
                docs=Links(),
            )
        )


@functools.cache
def _versions() -> Versions:
    return Versions(
        python=platform.python_version(),
        **{name: importlib.metadata.version(name) for name in ("tornado", "pyzmq", "msgspec")},
    )
