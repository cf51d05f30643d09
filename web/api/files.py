"""What a task leaves in its project folder: the files of its model, its log, and its epochs."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.epochs import EpochRecord

MOST_EPOCHS = 5000


class ArtifactView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A file of a model."""

    name: Annotated[str, Meta(description="its path in the folder of the model")]
    size_bytes: int
    sha256: Annotated[str, Meta(description="64 hexadecimal digits; the ETag of the file")]
    media_type: str
    score: Annotated[float | UnsetType, Meta(description="the score of an export format on the held-out pictures")] = (
        UNSET
    )
    score_name: Annotated[str | UnsetType, Meta(description="what the score is called")] = UNSET
    url: Annotated[str, Meta(description="the path of the call that sends the file")]


class ArtifactList(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The files of a task's model."""

    task_id: str
    attempt: int
    interim: Annotated[bool, Meta(description="whether a better model of the same task will replace this one")]
    artifacts: tuple[ArtifactView, ...]


class LogQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which part of the log."""

    offset: Annotated[int, Meta(ge=0, le=2**53, description="bytes to leave out at the beginning")] = 0
    follow: Annotated[bool, Meta(description="send what is added, until the task ends")] = False


class EpochQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which part of the epochs."""

    after: Annotated[int, Meta(ge=0, le=2**53, description="`next` of the answer before")] = 0
    limit: Annotated[int, Meta(ge=1, le=MOST_EPOCHS, description="the most epochs in the answer")] = 1000


class EpochPage(msgspec.Struct, frozen=True, rename="camel"):
    """The epochs of a task's training, of all attempts, in the order in which they ended."""

    epochs: tuple[EpochRecord, ...]
    next: Annotated[int, Meta(description="the cursor for the epochs that end later")]
