"""What monitoring asks: is the front-end alive, could a task be trained, and figures for Prometheus."""

from __future__ import annotations

from web.answers.refusal import RETRY_AFTER_S
from web.answers.views import readiness_view
from web.api.service import Health
from web.figures.monitoring import CONTENT_TYPE
from web.json_handler import JsonHandler


class HealthHandler(JsonHandler):
    """`/healthz`: this process is alive."""

    needs_token = False

    def get(self) -> None:
        self.send(Health())


class ReadyHandler(JsonHandler):
    """`/readyz`: whether a task could be trained now, and if not, what is missing."""

    needs_token = False

    async def get(self) -> None:
        services, needed_bytes = self.services, self.services.settings.min_free_mb * 2**20
        spaces = await services.disks.look()
        full = [root for root, space in spaces.items() if space is not None and space.free_bytes < needed_bytes]
        pulse = services.pulse
        view = readiness_view(pulse.tick, services.cache.synced, pulse.stuck_for_s, [str(root) for root in full])
        if not view.ready:
            self.set_header("Retry-After", str(RETRY_AFTER_S))
        self.send(view, 200 if view.ready else 503)


class MetricsHandler(JsonHandler):
    """`/metrics`: figures for Prometheus. They cover the tasks of all users."""

    async def get(self) -> None:
        self.caller.check_sees_all("the figures here cover all users")
        await self.services.disks.look()
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(self.services.monitoring.text())
