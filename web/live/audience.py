"""Who listens to which events. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from web.live.encoded_event import EncodedEvent
from web.live.interest import topics_of
from web.live.reader import Reader


class Listening(Protocol):
    """Somebody who is told that there may be something to read."""

    @property
    def reader(self) -> Reader: ...

    def tell(self) -> None: ...


class Audience:
    def __init__(self) -> None:
        self._by_topic: dict[str, dict[Listening, None]] = {}

    def add(self, one: Listening) -> None:
        self._by_topic.setdefault(one.reader.interest.topic, {})[one] = None

    def remove(self, one: Listening) -> None:
        topic = one.reader.interest.topic
        listening = self._by_topic[topic]
        del listening[one]
        if not listening:
            del self._by_topic[topic]

    def tell(self, events: Iterable[EncodedEvent]) -> None:
        """Tell everybody who may want one of these events, once."""
        for topic in {topic for event in events for topic in topics_of(event)}:
            for one in list(self._by_topic.get(topic, ())):
                one.tell()

    def tell_everybody(self) -> None:
        for listening in list(self._by_topic.values()):
            for one in list(listening):
                one.tell()
