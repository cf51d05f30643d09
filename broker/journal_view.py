"""What can be read from a journal: its rows, as both kinds of journal give them.

What the rows mean stands elsewhere and exists once: journal_rows.py decodes them, past_events.py makes events of facts,
and task_lists.py makes pages of tasks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from broker.journal_rows import FactRow, TaskRow
from protocol.task import TaskState
from protocol.task_filter import TaskFilter

#: When a task ended, when it was submitted, and its id: what lists are ordered by. Ids are ordered by code points.
PlaceRow = tuple[float, float, str]


class Stretch(msgspec.Struct, frozen=True):
    """A part of the ordered tasks in one state.

    by_end: ordered by end, submission and id; else by submission and id. descending: the newest first. after: the
    values that the order compares, of the task before; () for a stretch that begins at the first task.
    """

    by_end: bool
    descending: bool
    after: tuple[float | str, ...]
    most: int


class JournalView(Protocol):
    """One connection that reads a journal, also while a broker writes it. Only one thread uses it."""

    def close(self) -> None: ...

    def snapshot(self) -> AbstractContextManager[None]:
        """All that is read inside belongs together: it is as one commit left it.

        Errors of the database inside become JournalErrors.
        """

    def check_whole(self) -> None:
        """Read what has no seal (journal_seal.py), such as indexes. Raises BrokenJournalError if it is damaged."""

    def newest_seq(self) -> int:
        """The number of the newest fact ever written, even if it has been pruned; 0 for a new journal."""

    def pruned_up_to(self) -> int:
        """The highest number of a fact that has been deleted; 0 if none has."""

    def newest_at_s(self) -> float | None:
        """When the newest fact was recorded. None if there is no fact."""

    def facts_after(self, seq: int, most: int) -> Iterable[FactRow]:
        """Facts with higher numbers, in order."""

    def facts_of(self, task_id: str, after: int = 0, most: int | None = None) -> Iterable[FactRow]:
        """Facts of a task with higher numbers than `after`, in order. most: None for all of them."""

    def facts_before(self, task_id: str, seq: int) -> Iterable[FactRow]:
        """Facts of a task with lower numbers, the newest first. They are read as they are asked for."""

    def live_facts(self) -> Iterable[FactRow]:
        """The facts of all tasks that have not ended, in order."""

    def tasks(self, task_ids: Sequence[str]) -> Iterable[TaskRow]:
        """The rows of these tasks, in this order. Unknown ones are left out. They are read as they are asked for."""

    def recent_ended(self, most: int) -> Sequence[TaskRow]:
        """The tasks that ended last, the last one first."""

    def keyed_since(self, submitted_after_s: float) -> Iterable[TaskRow]:
        """The tasks with a request key that were submitted after this time, oldest first."""

    def count(self, wanted: TaskFilter, state: TaskState) -> int:
        """How many tasks in this state meet the filter."""

    def places(self, wanted: TaskFilter, state: TaskState, most: int) -> Iterable[PlaceRow]:
        """Up to `most` of the tasks in this state that meet the filter, in any order."""

    def stretch(self, wanted: TaskFilter, state: TaskState, stretch: Stretch) -> Iterable[PlaceRow]:
        """Some of the tasks in this state that meet the filter, in their order."""

    def found(self, wanted: TaskFilter, most: int) -> Iterable[tuple[str, PlaceRow]] | None:
        """All tasks that meet a filter with a search, each with its state, in any order.

        None if the ids, the users or the projects of more than `most` tasks begin with what is searched.
        """

    def in_use(self, user_id: str, project_id: str, most: int) -> Iterable[PlaceRow]:
        """The tasks whose models came into use in a project, the last one first. The first value says nothing."""
