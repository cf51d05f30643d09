"""The subscribers of events: streams and waiting calls, by the topic of what they want to read. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from web.live.encoded_event import EncodedEvent
from web.live.interest import topics_of
from web.live.reader import Reader


class Subscriber(Protocol):
    """It is told when there may be something for its reader to read."""

    @property
    def reader(self) -> Reader: ...

    def tell(self) -> None: ...


class Subscribers:
    def __init__(self) -> None:
        self._by_topic: dict[str, dict[Subscriber, None]] = {}

    def add(self, subscriber: Subscriber) -> None:
        self._by_topic.setdefault(subscriber.reader.interest.topic, {})[subscriber] = None

    def remove(self, subscriber: Subscriber) -> None:
        topic = subscriber.reader.interest.topic
        subscribed = self._by_topic[topic]
        del subscribed[subscriber]
        if not subscribed:
            del self._by_topic[topic]

    def tell(self, events: Iterable[EncodedEvent]) -> None:
        """Tell each subscriber that may want one of these events, once."""
        for topic in {topic for event in events for topic in topics_of(event)}:
            for subscriber in list(self._by_topic.get(topic, ())):
                subscriber.tell()

    def tell_everybody(self) -> None:
        for subscribed in list(self._by_topic.values()):
            for subscriber in list(subscribed):
                subscriber.tell()
