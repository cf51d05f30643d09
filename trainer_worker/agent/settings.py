"""The settings of the agent's core. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class AgentSettings(msgspec.Struct, frozen=True):
    worker: str
    start_id: str
    host: str
    train_types: tuple[str, ...]
    tasks_per_process: int = 20
    memory_limit_mb: float = 12_000
    stop_grace_s: float = 10.0
    kill_grace_s: float = 2.0
    stall_limit_s: float = 900.0
    keep_spare: bool = True
    #: What this worker has, see protocol/labels.py. The agent adds the label "gpu" if it is not here.
    labels: Mapping[str, str] = {}
    #: The label "gpu" as the driver of the GPU has it, or "". It counts until TensorFlow says what it sees.
    gpu: str = ""
    #: The pool of the cluster that started it, or "".
    pool: str = ""
    versions: Mapping[str, str] = {}
