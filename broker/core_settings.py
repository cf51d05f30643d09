"""The settings of the broker's core. Pure."""

from __future__ import annotations

import msgspec


class CoreSettings(msgspec.Struct, frozen=True):
    lease_ttl_s: float = 10.0
    heartbeat_interval_s: float = 2.0
    max_attempts: int = 3
    max_pending: int = 100_000
    max_pending_per_user: int = 10_000
    #: 0 means no limit.
    max_running_per_user: int = 0
    progress_port: int = 0
    #: How many ended tasks are kept in memory for snapshots. Older ones are read from the journal.
    recent_tasks: int = 1000
    #: The absolute folders, with links resolved, in which project folders may lie.
    data_roots: tuple[str, ...] = ()
    #: The setting [webhooks] allowed_hosts: to which hosts the webhook of a task may point.
    webhook_hosts: tuple[str, ...] = ()
    #: Random bytes of this run. The workers' publish keys are derived from them.
    publish_secret: bytes = b""
