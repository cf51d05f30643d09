"""The section [worker] of the settings: its folders, its limits, and where its broker is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from conf.section import Count, Seconds, Section


class WorkerSettings(Section, frozen=True, kw_only=True):
    broker: Annotated[str, Meta(pattern=r"^$|^tcp://.+:\d+$")]
    data_roots: list[Annotated[str, Meta(min_length=1)]]
    cache_dir: Annotated[str, Meta(min_length=1)]
    weights_dir: Annotated[str, Meta(min_length=1)]
    threads: Annotated[int, Meta(ge=0, le=1024)]
    tasks_per_process: Count
    keep_spare: bool
    memory_limit_mb: Annotated[int, Meta(ge=1000)]
    stop_grace_s: Seconds
    kill_grace_s: Seconds
    stall_limit_s: Seconds
    keep_models: Annotated[int, Meta(ge=0)]
    share_above_pictures: Annotated[int, Meta(ge=0)]

    @property
    def cache_path(self) -> Path:
        return Path(self.cache_dir)

    @property
    def weights_path(self) -> Path:
        return Path(self.weights_dir)

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))
