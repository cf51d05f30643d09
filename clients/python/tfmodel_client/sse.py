"""Reads server-sent events as the HTML standard defines them ("9.2.6 Interpreting an event stream")."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

#: The longest event that is kept. A stream that never ends its event would fill the memory otherwise.
MAX_EVENT_CHARS = 16 * 1024 * 1024

_LINE_END = re.compile(r"\r\n|\n|\r")
_BOM = "\ufeff"


class EventTooLongError(Exception):
    """The stream holds an event of more than MAX_EVENT_CHARS."""


@dataclass(frozen=True)
class SentEvent:
    """One event of a stream. event_id: the last id that the stream has named, "" before the first."""

    name: str
    data: str
    event_id: str


class EventStreamParser:
    """Takes the pieces of one answer. Every connection needs a parser of its own."""

    def __init__(self, last_event_id: str = "") -> None:
        """last_event_id: the id that the connection was opened with; it holds until the stream names another."""
        self.last_event_id = self._event_id = last_event_id
        #: The pause before a reconnection that the server has asked for, None before it does.
        self.retry_ms: int | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._at_start = True
        self._after_cr = False
        self._line: list[str] = []
        self._name = ""
        self._data: list[str] = []
        self._chars = 0

    def feed(self, piece: bytes) -> list[SentEvent]:
        """The events that this piece completes. What the stream has begun and not completed is kept for later."""
        text = self._decoder.decode(piece)
        if not text:
            return []
        if self._at_start:
            text, self._at_start = text.removeprefix(_BOM), False
        if self._after_cr:
            text = text.removeprefix("\n")  # The second half of a line end.
        self._after_cr = text.endswith("\r")
        self._chars += len(text)
        first, *others = _LINE_END.split(text)
        self._line.append(first)
        events = []
        for rest in others:
            event = self._take("".join(self._line))
            self._line = [rest]
            if event is not None:
                events.append(event)
        if self._chars > MAX_EVENT_CHARS:
            raise EventTooLongError(f"The stream holds an event of more than {MAX_EVENT_CHARS:,} characters.")
        return events

    def _take(self, line: str) -> SentEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._event_id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value)
        return None

    def _dispatch(self) -> SentEvent | None:
        # Only now: an event that is cut off must come again, so its id must not be sent back.
        self.last_event_id = self._event_id
        name, data = self._name, self._data
        self._name, self._data, self._chars = "", [], 0
        return SentEvent(name or "message", "\n".join(data), self.last_event_id) if data else None
