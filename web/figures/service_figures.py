"""What monitoring is told about broker, workers, cache and disk. It is read at each scrape."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from web.broker_link.broker_pulse import BrokerPulse
from web.broker_link.task_cache import TaskCache
from web.figures.disks import Disks

MB = 2**20
POOL_STATES = ("wanted", "starting", "running", "draining")
#: The kinds of messages that the broker counts and drops, with their names as labels.
DROPPED_KINDS = {
    "broker.bad_frame": "bad_frame",
    "broker.bad_subscription": "bad_subscription",
    "broker.unsent": "unsent",
    "broker.progress_dropped": "progress",
    "broker.read_dropped": "read",
}


class ServiceFigures(Collector):
    """bad_messages: the number of unreadable messages so far, by the name of the socket."""

    def __init__(self, pulse: BrokerPulse, cache: TaskCache, disks: Disks, min_free_mb: int) -> None:
        self._pulse = pulse
        self._cache = cache
        self._disks = disks
        self._min_free_mb = min_free_mb
        self.bad_messages: dict[str, Callable[[], int]] = {}

    def collect(self) -> Iterator[Metric]:
        yield from self._broker()
        yield from self._front_end()
        yield _gauge(
            "tfmodel_data_root_free_bytes",
            "Free space of the data root that has least of it.",
            min((space.free_bytes for space in self._disks.spaces.values() if space), default=math.inf),
        )
        yield _gauge(
            "tfmodel_data_root_min_free_bytes",
            "With less free space a task is refused ([web] min_free_mb).",
            self._min_free_mb * MB,
        )

    def _broker(self) -> Iterator[Metric]:
        """Figures of the broker's newest tick. While the broker is away, there are no workers to tell about."""
        tick = self._pulse.tick
        yield _gauge("tfmodel_broker_up", "1 while the broker answers.", float(tick is not None))
        workers = GaugeMetricFamily(
            "tfmodel_workers",
            "Registered workers: free, busy (with the lease of a task), loading TensorFlow, or idle and draining.",
            labels=["state"],
        )
        memory = GaugeMetricFamily(
            "tfmodel_worker_memory_bytes", "What a worker's agent and trainer processes hold.", labels=["worker"]
        )
        startable = GaugeMetricFamily(
            "tfmodel_startable_tasks", "Waiting tasks that would start if a worker were free."
        )
        pools = GaugeMetricFamily(
            "tfmodel_pool_workers",
            "Workers of a pool of the cluster: wanted, starting, running (draining ones included), or draining.",
            labels=["pool", "state"],
        )
        most = GaugeMetricFamily("tfmodel_pool_max_workers", "The most workers of a pool.", labels=["pool"])
        dropped = CounterMetricFamily(
            "tfmodel_broker_dropped_messages",
            "Messages that the broker could not read, send or believe, since it started.",
            labels=["kind"],
        )
        term = GaugeMetricFamily(
            "tfmodel_broker_term",
            "Rises each time that a broker begins to lead. 0 if the journal is a file, which only one broker can use.",
            labels=["host"],
        )
        started = GaugeMetricFamily(
            "tfmodel_broker_start_time_seconds", "When the broker began, or began to lead, since the epoch."
        )
        if tick is not None:
            term.add_metric([tick.leader], tick.term)
            started.add_metric([], tick.started_at_s)
            workers.add_metric(["free"], tick.free)
            workers.add_metric(["busy"], tick.warm - tick.free)
            workers.add_metric(["loading"], tick.workers - tick.warm - tick.draining)
            workers.add_metric(["draining"], tick.draining)
            for worker, held_mb in tick.memory_mb.items():
                memory.add_metric([worker], held_mb * MB)
            startable.add_metric([], tick.pending)
            for pool in tick.pools:
                for state in POOL_STATES:
                    pools.add_metric([pool.name, state], getattr(pool, state))
                most.add_metric([pool.name], pool.max_workers)
            for kind, label in DROPPED_KINDS.items():
                dropped.add_metric([label], tick.dropped.get(kind, 0))
        yield from (term, started, workers, memory, startable, pools, most, dropped)
        yield _gauge(
            "tfmodel_queue_stuck_seconds",
            "For how long tasks have been waiting although workers that could start them are free.",
            self._pulse.stuck_for_s,
        )

    def _front_end(self) -> Iterator[Metric]:
        cache = self._cache
        yield _gauge("tfmodel_task_cache_synced", "1 if the cache has all tasks of the broker.", float(cache.synced))
        yield _gauge("tfmodel_task_cache_entries", "Tasks in the cache, ended ones included.", len(cache))
        snapshots = CounterMetricFamily(
            "tfmodel_task_cache_snapshots",
            "Snapshots taken. There is one at the start, and one each time that publications were missed.",
        )
        snapshots.add_metric([], cache.snapshots)
        bad = CounterMetricFamily(
            "tfmodel_bad_messages", "Messages of the broker that the front-end could not read.", labels=["socket"]
        )
        for socket, count in self.bad_messages.items():
            bad.add_metric([socket], count())
        yield from (snapshots, bad)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
