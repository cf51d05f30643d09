"""A pool as the controller keeps it: its rules, and what Ray is asked for with each of its workers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cluster.controller import Rules
from conf.cluster_settings import ClusterSettings, PoolSettings

_WORKER_NAME = re.compile(r"([a-z][a-z0-9-]{0,31})-[0-9a-f]{8}")


@dataclass(frozen=True)
class Pool:
    """resources: what Ray reserves for each worker, by Ray's names. memory is in bytes."""

    name: str
    rules: Rules
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, float] = field(default_factory=dict)

    @property
    def ask(self) -> str:
        """What Ray is asked for with each worker, in words."""
        return ", ".join(
            f"{name}={amount / 2**20:.0f} MB" if name == "memory" else f"{name}={amount:g}"
            for name, amount in self.resources.items()
        )


def pools_of(settings: ClusterSettings) -> dict[str, Pool]:
    """The pools of the settings, in their order."""
    return {
        pool.name: Pool(pool.name, _rules(pool, settings), pool.labels, _resources(pool)) for pool in settings.pools
    }


def pool_of(worker: str) -> str | None:
    """The pool whose worker has this name; None if the name is not that of a pool's worker."""
    found = _WORKER_NAME.fullmatch(worker)
    return found[1] if found else None


def worker_name(pool: str, number: int) -> str:
    """The name of a new worker of the pool. number: below 2**32, and never used twice."""
    return f"{pool}-{number:08x}"


def _rules(pool: PoolSettings, settings: ClusterSettings) -> Rules:
    return Rules(
        min_workers=pool.min_workers,
        max_workers=pool.max_workers,
        idle_s=pool.idle_s,
        start_grace_s=settings.start_grace_s,
        cool_down_s=settings.cool_down_s,
        first_backoff_s=settings.first_backoff_s,
        longest_backoff_s=settings.longest_backoff_s,
    )


def _resources(pool: PoolSettings) -> dict[str, float]:
    asked = {"CPU": pool.num_cpus, "GPU": pool.num_gpus, "memory": pool.memory_mb * 2.0**20, **pool.resources}
    return {name: amount for name, amount in asked.items() if amount}
