"""One line of a task's epochs.jsonl: what one epoch of its training came to. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import Attempt, Numbers, Whole, Word, kept_numbers


class EpochRecord(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """One epoch. metrics: those of the training, such as its loss.

    stage: the stage that the epoch belongs to, as `phase` names it. part: of the stage, such as "fold2" of a
    cross-validation; "" if the stage is one training. epoch: counted from 1 in each part, up to epochs_max.
    at: the time in UTC, as ISO 8601. A later attempt continues after the last epoch that left a checkpoint, so an epoch
    may stand in the file twice.
    """

    attempt: Attempt
    stage: Word
    part: Word
    epoch: Whole
    epochs_max: Whole
    at: Annotated[str, Meta(max_length=40)]
    metrics: Numbers = {}

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "metrics", kept_numbers(self.metrics))
