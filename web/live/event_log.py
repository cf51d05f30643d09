"""The newest events in memory, in order, without a hole. Pure.

Events are published by the broker and may be lost. They are given to readers only up to the last number before which
nothing is missing (`up_to`). Later ones wait until the broker has told what is missing. Not every number has an event:
facts of deleted tasks have none, and only the broker knows which these are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from web.live.encoded_event import EncodedEvent
from web.live.interest import narrow_topics_of

#: What the encoded events in memory may take.
MOST_BYTES = 8 * 2**20
#: How many numbers a new log asks the broker for, so that readers of an earlier run find what they have missed here.
BEGIN_BACK = 1000
#: If more numbers than this are missing, the log begins anew near the end. Readers get the rest from the broker.
MOST_MISSING = 10_000
#: The most events that wait for missing ones. Those beyond are asked for with the missing ones.
MOST_AHEAD = 2000


class EventLog:
    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        #: Rises when the broker has another journal than before, in which the same numbers stand for other events.
        self.generation = 0
        self._clear(0)
        self.begun = False
        self._newest = 0

    def _clear(self, up_to: int) -> None:
        #: All events after `kept_after` and up to `up_to` are here.
        self.kept_after = self.up_to = up_to
        self._events: list[EncodedEvent] = []
        #: The same events by the topics of single users and tasks.
        self._by_topic: dict[str, list[EncodedEvent]] = {}
        self._bytes = 0
        self._ahead: dict[int, EncodedEvent] = {}

    @property
    def behind(self) -> bool:
        """Whether facts are known to exist that the log does not have yet. The broker must be asked for them."""
        return self._newest > self.up_to

    def notice(self, seq: int) -> None:
        """The broker has facts up to this number."""
        if not self.begun:
            self.begun = True
            self._clear(max(0, seq - BEGIN_BACK))
        self._newest = max(self._newest, seq)
        if self._newest - self.up_to > MOST_MISSING:
            self._clear(self._newest - BEGIN_BACK)

    def add(self, event: EncodedEvent) -> list[EncodedEvent]:
        """Take an event that was published. Returns the events that readers may get from now on."""
        self.notice(event.id)
        if event.id > self.up_to and len(self._ahead) < MOST_AHEAD:
            self._ahead[event.id] = event
        return self._append_what_follows()

    def fill(self, events: Sequence[EncodedEvent], up_to: int, kept_after: int) -> list[EncodedEvent]:
        """Take the broker's answer to a question for the events after a number that is at most `self.up_to`.

        events, up_to and kept_after: as in protocol.queries.EventsPart. Returns the same as `add`.
        """
        self.notice(up_to)
        if kept_after > self.up_to:
            self.kept_after = max(self.kept_after, kept_after)  # Something between may have been deleted.
        new = [event for event in events if self.up_to < event.id <= up_to]
        for event in new:
            self._append(event)
        self._pass(max(self.up_to, up_to))
        return new + self._append_what_follows()

    def start_anew(self) -> None:
        """The broker has another journal than before. Nothing that is here counts any more."""
        self.generation += 1
        self.begun = False
        self._newest = 0
        self._clear(0)

    def after(self, position: int, topic: str = "") -> Iterator[EncodedEvent]:
        """The events of a topic after the position, oldest first. topic: as in web/live/interest.py; "" has all.

        A reader of one task would otherwise look at the events of all tasks again and again.
        """
        events = self._by_topic.get(topic, []) if topic else self._events
        for index in range(bisect_right(events, position, key=_number), len(events)):
            yield events[index]

    def _append_what_follows(self) -> list[EncodedEvent]:
        new = []
        while self._ahead and (event := self._ahead.pop(self.up_to + 1, None)) is not None:
            self._append(event)
            self.up_to = event.id
            new.append(event)
        return new

    def _append(self, event: EncodedEvent) -> None:
        self._events.append(event)
        for topic in narrow_topics_of(event):
            self._by_topic.setdefault(topic, []).append(event)
        self._bytes += len(event.sse)
        if self._bytes > self._most_bytes:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        """Make room for a while, since taking events from the beginning of a list moves all others."""
        count = 0
        while self._bytes > self._most_bytes * 9 // 10 and count < len(self._events) - 1:
            oldest = self._events[count]
            self._bytes -= len(oldest.sse)
            self.kept_after = max(self.kept_after, oldest.id)
            for topic in narrow_topics_of(oldest):
                del self._by_topic[topic][0]
                if not self._by_topic[topic]:
                    del self._by_topic[topic]
            count += 1
        del self._events[:count]

    def _pass(self, up_to: int) -> None:
        """All events up to this number are here. Forget those that were published as well."""
        self.up_to = up_to
        if self._ahead:
            self._ahead = {number: event for number, event in self._ahead.items() if number > up_to}


def _number(event: EncodedEvent) -> int:
    return event.id
