"""Types of calls that the table of routes does not have yet. They move to types.py as the table gets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import msgspec

from tfmodel_client.types import Event, EventType


class ArtifactFile(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    name: str
    size_bytes: int
    sha256: str
    media_type: str
    url: str
    score: float | None = None


class ArtifactList(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    task_id: str
    attempt: int
    interim: bool
    artifacts: tuple[ArtifactFile, ...]


class EventFilters(TypedDict, total=False):
    user_id: str
    project_id: str
    types: Sequence[EventType]


class PredictionAnswer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    task_id: str


class EventPage(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    events: tuple[Event, ...]
    next: int
    reset: bool = False


class Epoch(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    attempt: int
    stage: str
    epoch: int
    at: str
    metrics: dict[str, float]


class EpochPage(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    epochs: tuple[Epoch, ...]
    next: str = ""


class Project(msgspec.Struct):
    user_id: str


class Queue(msgspec.Struct):
    queue: list[Any]


class TrainTypeList(msgspec.Struct):
    train_types: list[Any]


class ServerInfo(msgspec.Struct):
    version: str
