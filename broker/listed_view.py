"""How both kinds of journal answer for lists of tasks: by queries that each kind writes in its own SQL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from broker.journal_view import PlaceRow, Stretch
from protocol.task import TaskState
from protocol.task_filter import TaskFilter


class ListQueries(Protocol):
    """The module `lists` of a kind of journal. Each query is SQL with its values, as the kind carries it out."""

    def counting(self, wanted: TaskFilter, state: TaskState) -> Any: ...

    def in_any_order(self, wanted: TaskFilter, state: TaskState, most: int) -> Any: ...

    def in_order(self, wanted: TaskFilter, state: TaskState, stretch: Stretch) -> Any: ...

    def searching(self, search: str, most: int) -> Iterable[Any]: ...

    def among(self, wanted: TaskFilter, task_ids: Sequence[str]) -> Any: ...

    def in_use(self, user_id: str, project_id: str, most: int) -> Any: ...


class ListedView(ABC):
    """The part of a JournalView that lists are made of."""

    lists: ListQueries

    @abstractmethod
    def _listed(self, query: Any) -> Iterable[Any]:
        """The rows of one of the queries."""

    def count(self, wanted: TaskFilter, state: TaskState) -> int:
        ((count,),) = self._listed(self.lists.counting(wanted, state))
        return int(count)

    def places(self, wanted: TaskFilter, state: TaskState, most: int) -> Iterable[PlaceRow]:
        return self._listed(self.lists.in_any_order(wanted, state, most))

    def stretch(self, wanted: TaskFilter, state: TaskState, stretch: Stretch) -> Iterable[PlaceRow]:
        return self._listed(self.lists.in_order(wanted, state, stretch))

    def found(self, wanted: TaskFilter, most: int) -> list[tuple[str, PlaceRow]] | None:
        ids: set[str] = set()
        for query in self.lists.searching(wanted.search, most + 1):
            rows = list(self._listed(query))
            if len(rows) > most:
                return None
            # In a damaged row of SQLite, the id may be of another type.
            ids.update(task_id for (task_id,) in rows if isinstance(task_id, str))
        return [(state, (*place,)) for state, *place in self._listed(self.lists.among(wanted, sorted(ids)))]

    def in_use(self, user_id: str, project_id: str, most: int) -> Iterable[PlaceRow]:
        return self._listed(self.lists.in_use(user_id, project_id, most))
