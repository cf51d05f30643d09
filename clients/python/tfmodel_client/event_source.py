"""Follows the server's event stream across lost connections, so that no fact is missed and none comes twice."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

import msgspec

from tfmodel_client.errors import UnreadableAnswerError, error_of
from tfmodel_client.paths import query_of
from tfmodel_client.retrying import (
    PASSING_STATUSES,
    REQUEST_ID,
    ask,
    identified,
    pause_s,
    retry_after_s,
    with_headers,
)
from tfmodel_client.sse import EventStreamParser, EventTooLongError
from tfmodel_client.steps import Close, ConnectionLostError, Pause, Plan, Request, open_body, read, read_to_end
from tfmodel_client.types import Event, EventList

#: The server sends at least a comment every 15 s. After this long without a byte, the connection counts as dead.
SILENCE_S = 45.0
#: The pause before a reconnection until the server names another. It doubles while no connection succeeds.
RECONNECT_S = 1.0
SHORTEST_RECONNECT_S = 0.1
#: The most of what the server may ask for as a pause.
LONGEST_RECONNECT_S = 60.0

#: How much later than it was asked to the server may answer.
ANSWER_S = 10.0

CONTENT_TYPE = "text/event-stream"
PROGRESS: Final = "task.progress"
RESET: Final = "reset"


class _Reset(msgspec.Struct):
    id: int


class EventSource:
    """One stream of events, however many connections it takes."""

    def __init__(self, path: str, query: Iterable[tuple[str, str]], since: int) -> None:
        """since: the number of the last event that the caller has."""
        self._request = identified(Request("GET", path, tuple(query), {"Accept": CONTENT_TYPE}, silence_s=SILENCE_S))
        #: Sent back to the server, so that it continues after this event.
        self._last_event_id = str(since)
        #: The number of the newest fact that the caller has.
        self._newest = since
        self._parser: EventStreamParser | None = None
        self._reconnect_s = RECONNECT_S
        self._failures = 0
        #: Whether the server has said that there will be no more events.
        self.is_over = False

    def read(self) -> Plan[list[Event]]:
        """The next events, [] where only time has passed: a comment came, or the connection has ended.

        Call it again until `is_over`; it connects as often as needed. Raises TFModelError where a connection would
        fail again for the same reason.
        """
        asked_s = 0.0
        try:
            if self._parser is None:
                asked_s = yield from self._connect()
            if self._parser is not None and (piece := (yield from read())):
                self._failures = 0
                return self._take(self._parser, piece)
        except ConnectionLostError:
            pass  # The next connection continues after the last event that came whole.
        self._parser = None
        self._failures += 1
        yield Close()
        if not self.is_over:
            yield Pause(pause_s(self._failures, asked_s, self._reconnect_s))
        return []

    def ask(self, wait_s: float) -> Plan[list[Event]]:
        """The next events, without a stream: an answer comes within wait_s, with [] if nothing has happened.

        Raises TFModelError; it is not tried again.
        """
        yield Close()
        self._parser = None
        query = (*self._request.query, *query_of({"since": self._newest, "wait": round(wait_s, 3)}))
        request = Request("GET", self._request.path, query, silence_s=wait_s + ANSWER_S)
        page = yield from ask(request, EventList, most_tries=1)
        if page.reset:
            return [self._reset(page.next)]
        self._last_event_id = str(page.next)
        return self._fresh(page.events)

    def _connect(self) -> Plan[float]:
        """Open the stream. Returns the pause that the server asks for if it can't send it now, else 0.0."""
        request = with_headers(self._request, Last_Event_ID=self._last_event_id)
        answer = yield from open_body(request)
        if answer.status in PASSING_STATUSES:
            return min(retry_after_s(answer) or 0.0, LONGEST_RECONNECT_S)
        if answer.status == 204:
            self.is_over = True
            return 0.0
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status == 200 and kind == CONTENT_TYPE:
            self._parser = EventStreamParser(self._last_event_id)
            return 0.0
        body = yield from read_to_end()
        if answer.status == 200:
            raise UnreadableAnswerError(f"The answer is {kind or 'of no type'} and no stream of events.", status=200)
        raise error_of(dataclasses.replace(answer, body=body), request.headers[REQUEST_ID])

    def _take(self, parser: EventStreamParser, piece: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            for sent in parser.feed(piece):
                if sent.name == RESET:
                    events.append(self._reset(msgspec.json.decode(sent.data, type=_Reset).id))
                else:
                    events += self._fresh([msgspec.json.decode(sent.data, type=Event)])
        except (EventTooLongError, msgspec.DecodeError) as error:
            raise UnreadableAnswerError(f"The stream holds an event that can't be read ({error}).") from error
        self._last_event_id = parser.last_event_id
        if parser.retry_ms is not None:
            self._reconnect_s = min(max(parser.retry_ms / 1000, SHORTEST_RECONNECT_S), LONGEST_RECONNECT_S)
        return events

    def _fresh(self, events: Iterable[Event]) -> list[Event]:
        """Those that the caller has not had. A progress repeats the number of the newest fact."""
        fresh = []
        for event in events:
            if event.type == PROGRESS or event.id > self._newest:
                fresh.append(event)
                self._newest = max(self._newest, event.id)
        return fresh

    def _reset(self, number: int) -> Event:
        """Events were missed that the server does not keep any more. The next ones follow this number."""
        self._newest, self._last_event_id = number, str(number)
        return Event(
            id=number,
            type=RESET,
            at="",
            task_id="",
            user_id="",
            project_id="",
            train_type="",
            state="",
            progress=0.0,
            attempt=0,
        )
