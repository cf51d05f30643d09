"""Types of calls that the table of routes does not have yet. They move to types.py as the table gets them."""

from __future__ import annotations

from typing import Any

import msgspec


class ArtifactFile(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    name: str
    size_bytes: int
    sha256: str
    media_type: str
    url: str
    score: float | None = None
    score_name: str | None = None


class ArtifactList(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    task_id: str
    attempt: int
    interim: bool
    artifacts: tuple[ArtifactFile, ...]


class EpochRecord(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    attempt: int
    stage: str
    part: str
    epoch: int
    epochs_max: int
    at: str
    metrics: dict[str, float] = {}


class EpochPage(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    epochs: tuple[EpochRecord, ...]
    next: int


class Project(msgspec.Struct):
    user_id: str


class Queue(msgspec.Struct):
    queue: list[Any]


class TrainTypeList(msgspec.Struct):
    train_types: list[Any]


class ServerInfo(msgspec.Struct):
    version: str
