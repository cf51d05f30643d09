"""One event as readers get it: encoded once for all of them, with the few fields that filters look at. Pure."""

from __future__ import annotations

import msgspec

from protocol.events import Event

_encoder = msgspec.json.Encoder()


class EncodedEvent(msgspec.Struct, frozen=True, gc=False):
    """sse: the event in the format of a stream (server-sent events)."""

    id: int
    type: str
    task_id: str
    user_id: str
    project_id: str
    attempt: int
    sse: bytes

    @property
    def json(self) -> bytes:
        return self.sse[self.sse.index(b"\ndata: ") + len(b"\ndata: ") : -len(b"\n\n")]


def encoded(event: Event) -> EncodedEvent:
    """Encode an event. A progress has no `id:` line, so that a browser's Last-Event-ID stays at the last fact."""
    number = b"" if event.type == "task.progress" else b"id: %d\n" % event.id
    sse = b"%bevent: %b\ndata: %b\n\n" % (number, event.type.encode(), _encoder.encode(event))
    return EncodedEvent(event.id, event.type, event.task_id, event.user_id, event.project_id, event.attempt, sse)
