"""Compares finished tasks on the held-out pictures that all of them have."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.bounds import TaskId

#: The most tasks of one comparison.
MOST_TASKS = 4
#: The most pictures on which the tasks disagree that are named.
MOST_DISAGREEMENTS = 200

_Tasks = Annotated[
    tuple[TaskId, ...],
    Meta(min_length=2, max_length=MOST_TASKS, description="the tasks; each is compared with the first one"),
]


class CompareQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The tasks that are to be compared."""

    tasks: _Tasks


class ComparedScore(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The score of one task on the common pictures, with its 95 % interval; null without pictures."""

    task_id: str
    value: float | None
    low: float | None
    high: float | None


class ScoreDifference(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """By how much the score of a task is higher than the score of another task."""

    task_id: str
    against: Annotated[str, Meta(description="the task that it is compared with")]
    value: Annotated[float | None, Meta(description="from -1 to 1; null without pictures")]
    low: Annotated[float | None, Meta(description="95 % interval; null with fewer than 5 pictures")]
    high: float | None
    now_only_right: Annotated[int, Meta(description="pictures that only this task has right, or of masks better")]
    before_only_right: Annotated[int, Meta(description="the same for the other task")]
    sentence: Annotated[str, Meta(description="the difference in words")]


class Disagreement(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A common picture on which the tasks disagree."""

    picture: Annotated[str, Meta(description="its name in the project of the first task")]
    truth: Annotated[str, Meta(description="its label; empty for masks")]
    answers: Annotated[
        dict[str, str | float],
        Meta(description="the answer of each task, by its taskId: the predicted label, or the Dice of a mask"),
    ]


class ComparedTasks(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The scores of the tasks on the pictures that all of them have held out, with the same label or mask."""

    tasks: tuple[str, ...]
    measure: Annotated[str, Meta(description="the name of the score; empty if the tasks have different ones")]
    pictures: Annotated[int, Meta(description="how many common pictures there are")]
    scores: tuple[ComparedScore, ...]
    differences: tuple[ScoreDifference, ...]
    disagreements: Annotated[
        tuple[Disagreement, ...],
        Meta(description=f"at most {MOST_DISAGREEMENTS}; those on which the scores differ most come first"),
    ]
    disagreeing: Annotated[int, Meta(description="on how many pictures the tasks disagree")]
