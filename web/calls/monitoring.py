"""What monitoring asks: is the front-end alive, could a task be trained, and figures for Prometheus."""

from __future__ import annotations

from web.answers.refusal import RETRY_AFTER_S, Refusal
from web.answers.views import readiness_view
from web.api.service import Health
from web.figures.free_space import free_space_mb
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

    def get(self) -> None:
        services, needed_mb = self.services, self.services.settings.min_free_mb
        full = [root for root in services.allowed_roots if root.is_dir() and free_space_mb(root) < needed_mb]
        pulse = services.pulse
        view = readiness_view(pulse.tick, services.cache.synced, pulse.stuck_for_s, [str(root) for root in full])
        if not view.ready:
            self.set_header("Retry-After", str(RETRY_AFTER_S))
        self.send(view, 200 if view.ready else 503)


class MetricsHandler(JsonHandler):
    """`/metrics`: figures for Prometheus. They cover the tasks of all users."""

    def get(self) -> None:
        if self.caller.user:
            raise Refusal(
                "user_not_allowed",
                f"This token belongs to userId={self.caller.user!r}, and the figures here cover all users; use a token "
                "for all users, such as one from 'python server.py token create monitoring --read-only'.",
            )
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(self.services.monitoring.text())
