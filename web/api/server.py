"""This server: its version, its limits, and where its documents are."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from web.api.uploads import UploadLimits


class Limits(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the settings of this server allow."""

    max_body_bytes: Annotated[int, Meta(description="the largest body of a call, except for predictions")]
    max_predict_body_bytes: Annotated[int, Meta(description="the largest body with pictures for a prediction")]
    max_predict_pictures: Annotated[int, Meta(description="the most pictures of one prediction")]
    uploads: Annotated[UploadLimits, Meta(description="what may be uploaded into a new project")]
    max_pending: Annotated[int, Meta(description="the most waiting tasks; the next POST is refused with 429")]
    max_pending_per_user: Annotated[int, Meta(description="the most waiting tasks of one user")]
    max_running_per_user: Annotated[int, Meta(description="the most tasks of one user trained at once; 0: any")]
    max_page_tasks: Annotated[int, Meta(description="the most tasks on one page of a list")]
    max_metadata: Annotated[int, Meta(description="the most strings in the metadata of a task")]
    max_streams: Annotated[int, Meta(description="the most open event streams and waiting calls")]
    max_streams_per_address: Annotated[
        int, Meta(description="the most open event streams and waiting calls of one address")
    ]
    keep_days: Annotated[float, Meta(description="how many days an ended task is remembered")]


class Features(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What this server is set up for."""

    tokens: Annotated[bool, Meta(description="whether calls need a token")]
    webhooks: Annotated[bool, Meta(description="whether there are destinations, or hosts that tasks may name")]
    train_types: Annotated[tuple[str, ...], Meta(description="the trainTypes that can be posted")]


class Disk(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A data root and the space of its disk."""

    path: Annotated[str, Meta(description="a folder of [web] data_roots")]
    free_bytes: Annotated[
        int | None, Meta(description="what can still be written; null if the folder is missing or does not answer")
    ]
    total_bytes: Annotated[int | None, Meta(description="the size of the disk; null if freeBytes is null")]
    min_free_bytes: Annotated[int, Meta(description="with less free space a task is refused")]


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """The versions of Python and of the libraries that the front-end runs on."""

    python: str
    tornado: str
    pyzmq: str
    msgspec: str


class Links(msgspec.Struct, frozen=True, rename="camel"):
    """Paths of documents on this server."""

    openapi: str = "/openapi.json"
    calls: str = "/docs"
    errors: str = "/docs/errors"


class ServerView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """This server."""

    version: Annotated[str, Meta(description="the version of TFModel")]
    started_at: Annotated[str, Meta(description="when the front-end started, as ISO 8601 in UTC")]
    uptime_seconds: float
    limits: Limits
    features: Features
    disks: Annotated[tuple[Disk, ...], Meta(description="the data roots, in the order of the settings")]
    versions: Versions
    docs: Links
