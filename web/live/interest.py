"""Which events a reader wants. Pure."""

from __future__ import annotations

import msgspec

from web.live.encoded_event import EncodedEvent


class Interest(msgspec.Struct, frozen=True, gc=False):
    """Empty fields leave nothing out. user_id: also the only user whose tasks the caller may see."""

    task_id: str = ""
    user_id: str = ""
    project_id: str = ""
    types: frozenset[str] = frozenset()

    def wants(self, event: EncodedEvent) -> bool:
        return (
            (not self.task_id or self.task_id == event.task_id)
            and (not self.user_id or self.user_id == event.user_id)
            and (not self.project_id or self.project_id == event.project_id)
            and (not self.types or event.type in self.types)
        )

    @property
    def topic(self) -> str:
        """The narrowest topic that has all wanted events; see `topics_of`."""
        if self.task_id:
            return f"task {self.task_id}"
        return f"user {self.user_id}" if self.user_id else ""


def topics_of(event: EncodedEvent) -> tuple[str, ...]:
    """The topics that an event belongs to. Readers are found by topic, so an event costs only those who may want it."""
    return "", *narrow_topics_of(event)


def narrow_topics_of(event: EncodedEvent) -> tuple[str, ...]:
    """The topics but for the one that has all events."""
    return f"user {event.user_id}", f"task {event.task_id}"
