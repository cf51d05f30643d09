"""`/v1/server`: this server, for callers."""

from __future__ import annotations

import time

from protocol.events import iso
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from protocol.version import VERSION
from web.api.server import Features, Links, ServerView
from web.json_handler import JsonHandler


class ServerHandler(JsonHandler):
    """GET tells version, limits and features."""

    def get(self) -> None:
        services, now_s = self.services, time.time()
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
                docs=Links(),
            )
        )
