"""How far one reader has read. It holds no events, so a reader that is slow costs no memory. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from protocol.events import LAST_EVENTS
from web.live.encoded_event import EncodedEvent
from web.live.event_log import EventLog
from web.live.interest import Interest
from web.live.progress_board import ProgressBoard

#: About how much is read at once.
MOST_BYTES = 64 * 1024


class Reader:
    __slots__ = ("_generation", "_seen", "_verified", "ended", "interest", "position")

    def __init__(self, interest: Interest, position: int, log: EventLog, seen: int = 0) -> None:
        """position: the number of the last event that the caller has. seen: the version of the last progress."""
        self.interest = interest
        self.position = position
        self._seen = seen
        self._generation = log.generation
        #: Whether the broker has facts up to the position. A number of another journal may be higher.
        self._verified = position <= log.up_to
        #: Whether this reads one task, whose last event has been read.
        self.ended = False

    def is_outdated(self, log: EventLog) -> bool:
        """Whether the position belongs to another journal, so that the reader needs the state as it is."""
        return self._generation != log.generation

    def is_in(self, log: EventLog) -> bool:
        """Whether the log has all events after the position. If not, the broker must be asked."""
        return log.begun and self._generation == log.generation and self._verified and self.position >= log.kept_after

    def read(self, log: EventLog, board: ProgressBoard) -> list[EncodedEvent]:
        """The next events, and after them the newest progress of each task. Call it only while `is_in` holds.

        Nothing is left if the list is empty.
        """
        found, more = self.take(log.after(self.position, self.interest.topic))
        if self.ended or more:
            return found
        self.position = max(self.position, log.up_to)
        if self.position == log.up_to:
            found += self._new_progress(board)
        return found

    def skip(self, log: EventLog) -> None:
        """All events up to the newest one have been read, or do not concern this reader."""
        if self.is_in(log):
            self.position = max(self.position, log.up_to)

    def take(self, events: Iterable[EncodedEvent]) -> tuple[list[EncodedEvent], bool]:
        """Read events that follow the position. Returns those that are wanted, and whether more are left."""
        found: list[EncodedEvent] = []
        size = 0
        for event in events:
            if size >= MOST_BYTES:
                return found, True
            self.position = event.id
            if self.interest.wants(event):
                found.append(event)
                size += len(event.sse)
            if self.interest.task_id == event.task_id and event.type in LAST_EVENTS:
                self.ended = True
                break
        return found, False

    def verify(self, position: int) -> None:
        """The broker has facts up to this position, and the reader has all events up to it."""
        self._verified = True
        self.position = max(self.position, position)

    def reset(self, log: EventLog) -> None:
        """The reader is given the state as it is. It goes on from there."""
        self.position, self._generation, self._verified, self._seen = log.up_to, log.generation, True, 0

    def _new_progress(self, board: ProgressBoard) -> list[EncodedEvent]:
        found, size = [], 0
        for version, event in board.newer_than(self._seen, self.interest.task_id):
            if size >= MOST_BYTES:
                break
            self._seen = version
            if self.interest.wants(event):
                found.append(event)
                size += len(event.sse)
        return found
