"""The figures about streams, for monitoring."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from web.live.catching_up import CatchingUp
from web.live.stream_slots import StreamSlots


class StreamFigures(Collector):
    def __init__(self, slots: StreamSlots, catching_up: CatchingUp) -> None:
        self._slots = slots
        self._catching_up = catching_up

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("tfmodel_streams", "Open event streams and waiting calls.", value=self._slots.taken)
        resets = CounterMetricFamily(
            "tfmodel_stream_resets",
            "Readers that got the state as it is, because events that they missed are no longer kept.",
        )
        resets.add_metric([], self._catching_up.resets)
        yield resets
