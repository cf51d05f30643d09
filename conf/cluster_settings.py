"""The section [cluster] of the settings: the pools of workers that Ray places, and how calmly they grow and shrink."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from conf.section import Seconds, Section
from protocol.labels import Labels
from protocol.pools import MAX_POOLS

#: The name of a pool is the beginning of its workers' names. A dash and eight digits follow.
POOL_NAME = r"^[a-z][a-z0-9-]{0,31}$"
#: Ray has a field of its own for each of these.
RESERVED_RESOURCES = ("CPU", "GPU", "memory", "object_store_memory")
LEAST_MEMORY_MB = 1000

Amount = Annotated[float, Meta(ge=0, le=1_000_000)]


class PoolSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pool of equal workers. What it has no key for gets the default.

    labels: what its workers have, for tasks with needs. num_cpus, num_gpus, memory_mb, resources: what Ray reserves for
    each of them; memory_mb: 0 reserves none. environment: variables of its workers.
    """

    name: Annotated[str, Meta(pattern=POOL_NAME)]
    labels: Labels = {}
    num_cpus: Annotated[float, Meta(gt=0, le=1024)] = 1.0
    num_gpus: Annotated[float, Meta(ge=0, le=64)] = 0.0
    memory_mb: Annotated[int, Meta(ge=0)] = 0
    resources: dict[str, Amount] = {}
    min_workers: Annotated[int, Meta(ge=0, le=10_000)] = 0
    max_workers: Annotated[int, Meta(ge=0, le=10_000)] = 1
    idle_s: Seconds = 300.0
    environment: dict[str, str] = {}


class ClusterSettings(Section, frozen=True, kw_only=True):
    pools: Annotated[list[PoolSettings], Meta(max_length=MAX_POOLS)]
    address: Annotated[str, Meta(min_length=1)]
    namespace: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    interval_s: Seconds
    start_grace_s: Seconds
    cool_down_s: Seconds
    first_backoff_s: Seconds
    longest_backoff_s: Seconds
    worker_command: Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(min_length=1)]


def why_bad(cluster: ClusterSettings) -> str:
    """What is wrong with the section, as a sentence that names the key; "" if it is fine."""
    names = [pool.name for pool in cluster.pools]
    for pool in cluster.pools:
        where = f"[cluster] pools: the pool {pool.name}"
        if names.count(pool.name) > 1:
            return f"{where} is there twice; give each pool a name of its own."
        if pool.min_workers > pool.max_workers:
            return f"{where} has min_workers = {pool.min_workers} above max_workers = {pool.max_workers}."
        if 0 < pool.memory_mb < LEAST_MEMORY_MB:
            least = f"a worker needs at least {LEAST_MEMORY_MB}; 0 reserves none"
            return f"{where} has memory_mb = {pool.memory_mb}, but {least}."
        for resource in pool.resources:
            if resource in RESERVED_RESOURCES:
                return f"{where} names the resource {resource}; use num_cpus, num_gpus or memory_mb for it."
    if cluster.longest_backoff_s < cluster.first_backoff_s:
        return (
            f"[cluster] longest_backoff_s = {cluster.longest_backoff_s} must not be below "
            f"first_backoff_s = {cluster.first_backoff_s}."
        )
    return ""
