"""All figures for `GET /metrics`, in the text format of Prometheus. docs/operations.md lists them.

The figures belong to the object here, not to the library's registry for the whole process.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from web.figures.http_figures import HttpFigures
from web.figures.service_figures import ServiceFigures
from web.figures.task_figures import TaskFigures
from web.live.catching_up import CatchingUp
from web.live.figures import StreamFigures
from web.live.stream_slots import StreamSlots
from web.webhooks.figures import WebhookFigures

#: Every version of Prometheus reads this one.
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class _Registry(CollectorRegistry):
    """Leaves out the times at which counters were created. They would double the length of a scrape."""

    def collect(self) -> Iterator[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Monitoring:
    def __init__(self, service: ServiceFigures) -> None:
        self._registry = _Registry()
        self.service = service
        self._registry.register(service)
        self.tasks = TaskFigures(self._registry)
        self.http = HttpFigures(self._registry)
        self.webhooks = WebhookFigures(self._registry)
        ProcessCollector(namespace="tfmodel", registry=self._registry)

    def add_streams(self, slots: StreamSlots, catching_up: CatchingUp) -> None:
        self._registry.register(StreamFigures(slots, catching_up))

    def text(self) -> bytes:
        return generate_latest(self._registry)
