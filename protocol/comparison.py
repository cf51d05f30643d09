"""How a new model did beside the one that models/latest named, on the held-out pictures that both have."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import MAX_WARNING_CHARS, TaskId, Whole

_Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class Comparison(msgspec.Struct, frozen=True, gc=False):
    """The comparison that decides whether models/latest moves to the new model.

    with_task: the task that made the earlier model. pictures: how many are held out by both models and have the same
    label or mask as then. now_only_right, before_only_right: those of them that only one model has right; for masks,
    those on which its Dice is higher. score_now, score_before: the mean score on these pictures; None without any.
    p_value: the probability of a result at least this bad for the new model if both were equally good.
    promoted: whether models/latest was moved. sentence: all of it in words.
    """

    with_task: TaskId
    pictures: Whole
    now_only_right: Whole
    before_only_right: Whole
    p_value: _Share
    score_now: _Share | None
    score_before: _Share | None
    promoted: bool
    sentence: Annotated[str, Meta(max_length=MAX_WARNING_CHARS)]

    @property
    def warnings(self) -> list[str]:
        """The sentence, if it is one that a person must read: the new model is not the one in use."""
        return [] if self.promoted else [self.sentence]
