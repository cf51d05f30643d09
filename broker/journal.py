"""The journal: every fact in order, and each task as its facts have left it.

This is all that the broker knows of it. `sqlite_journal` and `postgres_journal` implement it, and neither knows the
other. What `append` has written is durable when it returns. The facts are the truth. What is noted of tasks
is derived from them in the same transaction, for look-ups and lists.
"""

from __future__ import annotations

import datetime
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Self

import msgspec

from broker.events import Recovered
from broker.facts import Record
from broker.journal_rows import TaskRow, record_of, task_of
from broker.journal_view import JournalView
from protocol.task import Task

log = logging.getLogger("broker")

PRUNED_A_CALL = 500

#: It is called as long as another broker leads, with the machine of that broker. It returns when it is time to look
#: again, or raises.
Wait = Callable[[str], None]


class JournalError(Exception):
    """The journal cannot be used now. Waiting may help: another broker uses it, or the disk is full."""


class BrokenJournalError(JournalError):
    """The journal cannot be used until a person has done what the message says.

    finding: the message without the cure. For a damaged backup, the cure is another one.
    """

    def __init__(self, finding: str, cure: str = "") -> None:
        super().__init__(f"{finding} {cure}" if cure else finding)
        self.finding = finding


class LeadershipLostError(JournalError):
    """Another broker may write the journal now. This process must end, and answer nobody any more."""


def refuse_to_wait(leader: str) -> None:
    """A Wait for a program that needs the journal at once."""
    raise JournalError(f"Another broker is using the journal, on {leader}; stop it first, or set [broker] journal.")


class JournalContents(msgspec.Struct, frozen=True):
    """The content of a sound journal. live: how many tasks are waiting or being trained."""

    version: int
    tasks: int
    live: int

    def __str__(self) -> str:
        return f"{self.tasks} tasks, of which {self.live} have not ended"


class Leader(msgspec.Struct, frozen=True):
    """The broker that led last.

    term: rises each time that a broker begins to lead. since_s: when it began, in seconds since the epoch. leads:
    whether it still does.
    """

    term: int
    host: str
    pid: int
    since_s: float
    leads: bool

    def __str__(self) -> str:
        since = datetime.datetime.fromtimestamp(self.since_s).isoformat(sep=" ", timespec="seconds")
        if self.leads:
            return f"The broker on {self.host} (process {self.pid}) has led since {since}, in term {self.term}"
        return f"No broker leads now; the last one, on {self.host}, began at {since}, in term {self.term}"


class Journal(ABC):
    """The only writer of a journal. Use it as a context manager, or call `close`.

    Every method raises JournalError if the journal fails. The caller's state is then ahead of the journal, so its
    process must end.
    """

    #: What the writer itself reads, over its own connection.
    view: JournalView
    #: Rises each time that a broker begins to lead. It is 0 for a journal that only one broker can use.
    term = 0

    def __init__(self) -> None:
        self._unreadable: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def append(self, records: Sequence[Record], tasks: Iterable[Task]) -> None:
        """Write facts, and the tasks as they are after these facts, in one durable transaction.

        Nothing is written if that fails.
        """

    @abstractmethod
    def prune(self, ended_before_s: float) -> int:
        """Delete up to PRUNED_A_CALL tasks that ended before this time. Returns how many were deleted.

        The highest number of a deleted fact is kept, so that readers of past events learn what they may have missed.
        """

    @abstractmethod
    def confirm(self) -> None:
        """Return if this process certainly is still the only writer. Raises LeadershipLostError otherwise.

        `append` does not need it. It is for answers that need no commit.
        """

    @abstractmethod
    def report_loss_to(self, take: Callable[[LeadershipLostError], None]) -> None:
        """Have a loss of the leadership told to `take`, by a thread other than the caller's.

        The caller's own thread may hang in a lost connection at that time.
        """

    @abstractmethod
    def note_pruned(self, up_to: int) -> None:
        """Record that facts up to this number may be missing. The next fact has a higher number."""

    @abstractmethod
    def open_view(self) -> JournalView:
        """A view with a connection of its own, for another thread."""

    def recovered(self, recent_tasks: int, keyed_since_s: float) -> Recovered:
        """What a broker starts with.

        recent_tasks: how many ended tasks to read. keyed_since_s: request keys that are older than this are left out.
        """
        return Recovered(
            self.live_records(), self.last_seq(), self.recent_ended(recent_tasks), self.keyed_since(keyed_since_s)
        )

    def last_seq(self) -> int:
        """The number of the newest fact ever written, even if it has been pruned; 0 for a new journal."""
        with self.view.snapshot():
            return self.view.newest_seq()

    def live_records(self) -> list[Record]:
        """The facts of all tasks that have not ended, in order. A broker replays them when it starts.

        If one fact of a task cannot be read, the whole task is left out, so that the broker can serve the others.
        """
        records: list[Record] = []
        unreadable: set[str] = set()
        with self.view.snapshot():
            for row in self.view.live_facts():
                try:
                    records.append(record_of(row))
                except msgspec.DecodeError as error:
                    unreadable.add(row[2])
                    self._name_unreadable(row[2], error)
        return [record for record in records if record.task_id not in unreadable]

    def recent_ended(self, count: int) -> list[Task]:
        """The tasks that ended last, oldest first."""
        with self.view.snapshot():
            return self._tasks(reversed(self.view.recent_ended(count)))

    def keyed_since(self, submitted_after_s: float) -> list[Task]:
        """The tasks with a request key that were submitted after this time, oldest first."""
        with self.view.snapshot():
            return self._tasks(self.view.keyed_since(submitted_after_s))

    def task(self, task_id: str) -> Task | None:
        """Return the task. None if it is unknown or its record cannot be read."""
        with self.view.snapshot():
            return next(iter(self._tasks(self.view.tasks([task_id]))), None)

    def _tasks(self, rows: Iterable[TaskRow]) -> list[Task]:
        """Decode the rows. Tasks that cannot be read are logged and left out."""
        tasks = []
        for row in rows:
            try:
                tasks.append(task_of(row))
            except msgspec.DecodeError as error:
                self._name_unreadable(row[0], error)
        return tasks

    def _name_unreadable(self, task_id: str, error: msgspec.DecodeError) -> None:
        if task_id not in self._unreadable:
            self._unreadable.add(task_id)
            log.error("action=journal.task_left_out task=%r reason='its record cannot be read: %s'", task_id, error)
