"""The section [worker] of the settings: its folders, its limits, and where its broker is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from conf import data_roots
from conf.section import Count, Seconds, Section
from protocol.labels import labels_of

_ADDRESS = r"tcp://[^\s,]+:\d+"
#: The addresses of one broker or several, separated by commas.
BROKERS = rf"^{_ADDRESS}(\s*,\s*{_ADDRESS})*$"


#: A GPU, by its number or its UUID; or one of the words below.
_DEVICE = r"[A-Za-z0-9./:-]+"
#: One worker for each GPU, or one worker that sees all devices.
AUTO, ALL = "auto", "all"


class WorkerSettings(Section, frozen=True, kw_only=True):
    broker: Annotated[str, Meta(pattern=rf"^$|{BROKERS}")]
    labels: list[str]
    devices: Annotated[str, Meta(pattern=rf"^{_DEVICE}(,{_DEVICE})*$")]
    data_roots: list[Annotated[str, Meta(min_length=1)]]
    cache_dir: Annotated[str, Meta(min_length=1)]
    weights_dir: Annotated[str, Meta(min_length=1)]
    backbone_dir: Annotated[str, Meta(min_length=1)]
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
    def backbone_path(self) -> Path:
        return Path(self.backbone_dir)

    @property
    def named_devices(self) -> tuple[str, ...]:
        """The GPUs that get a worker each; () if the setting is AUTO or ALL."""
        return () if self.devices in (AUTO, ALL) else tuple(dict.fromkeys(self.devices.split(",")))

    @property
    def thread_count(self) -> int:
        return self.threads or len(os.sched_getaffinity(0))


def why_bad(worker: WorkerSettings) -> str:
    """What is wrong with the section, as a sentence that names the key; "" if it is fine."""
    try:
        labels_of(worker.labels)
    except ValueError as error:
        return f"[worker] labels: {error}"
    if {AUTO, ALL} & set(worker.named_devices):
        return f'[worker] devices = {worker.devices!r}: "{AUTO}" and "{ALL}" stand alone, without other devices.'
    return data_roots.why_bad("[worker] data_roots", worker.data_roots)


def listed_brokers(text: str) -> tuple[str, ...]:
    """The addresses in a text that matches BROKERS, each once; () for ""."""
    return tuple(dict.fromkeys(address.strip() for address in text.split(",") if address.strip()))
