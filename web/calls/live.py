"""`/v1/events` and `/v1/tasks/{taskId}/events`: what happens, as a stream of server-sent events or by waiting calls."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
from collections.abc import Sequence
from typing import cast

import msgspec
from tornado.iostream import StreamClosedError

from protocol.events import Event
from web.answers.refusal import Refusal
from web.api.live import EventList, EventsQuery
from web.broker_link.broker_requests import BrokerAwayError
from web.calls.staying_open import StayingHandler
from web.live.encoded_event import EncodedEvent
from web.live.interest import Interest
from web.live.reader import Reader
from web.live.stream import Stream

HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # Otherwise nginx would keep events back until it has a few kilobytes.
}
#: After how many milliseconds a browser connects again. Thousands of them come back at different times.
RETRY_MS = (1000, 3000)
NUMBER = re.compile(r"[0-9]{1,18}")


class EventsHandler(StayingHandler):
    """GET streams events. With `wait`, it answers with JSON as soon as there is one."""

    _stream: Stream | None = None

    async def get(self, task_id: str = "") -> None:
        interest = self._interest(task_id)
        since = self._since()
        entry = await self.find(task_id) if task_id else None
        live, began_s = self.services.live, asyncio.get_running_loop().time()
        try:
            await live.catching_up.settle()
            if self.query.wait is not None:
                await self._answer_waiting(live.reader(interest, since, only_new_progress=True), began_s)
                return
            reader, first = live.reader(interest, since), None
            if entry is not None and entry.task.ended:
                first = await live.catching_up.read_past(reader)
        except BrokerAwayError:
            raise Refusal(
                "broker_away", "The broker does not answer, so events may be missing; try again shortly."
            ) from None
        if first == []:
            self.set_status(204)  # A browser does not connect again after this status.
            self.finish()
            return
        await self._answer_stream(reader, first or [])

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._stream is not None:
            self._stream.awake.set()

    async def _answer_stream(self, reader: Reader, first: Sequence[EncodedEvent]) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)
        if self.request.method == "HEAD":
            self.finish()
            return
        self.set_header("Connection", "close")
        live = self.services.live
        with live.slots.slot(self.connection), contextlib.suppress(StreamClosedError):
            self.stays_open = True
            self.write(f"retry: {random.randint(*RETRY_MS)}\n\n")
            await self.flush()
            is_chunked = self.request.version == "HTTP/1.1"
            stream = Stream(self.connection, is_chunked, reader, live.streams.tell, self.may_go_on)
            self._stream = stream
            if first:
                stream.write(b"".join(event.sse for event in first))
            await live.streams.run(stream)
            await self.finish()
            self.connection.close()

    async def _answer_waiting(self, reader: Reader, began_s: float) -> None:
        live, wait_s = self.services.live, self.query.wait
        slot = live.slots.slot(self.connection) if wait_s else contextlib.nullcontext()
        with slot:
            self.stays_open = bool(wait_s)
            waited = await self.while_connected(live.long_polls.events(reader, wait_s, began_s))
        # The events are JSON already, which takes no second encoding.
        events = cast("tuple[Event, ...]", tuple(msgspec.Raw(event.json) for event in waited.events))
        self.send(EventList(events, reader.position, waited.is_reset))

    def _interest(self, task_id: str) -> Interest:
        types = frozenset(self.query.types)
        if not isinstance(self.query, EventsQuery):
            return Interest(task_id, types=types)
        user_id = self.query.user_id
        if user_id:
            self.caller.check_sees(user_id, "read the events of")
        return Interest(task_id, user_id or self.caller.user, self.query.project_id, types)

    def _since(self) -> int | None:
        """The number of the last event that the caller has. A browser that connects again sends it as a header."""
        given = self.request.headers.get("Last-Event-ID", "")
        if given and not NUMBER.fullmatch(given):
            raise Refusal(
                "bad_fields",
                f"Last-Event-ID: {given[:80]!r} is not the id of an event; send the id of the last event, a number.",
            )
        since: int | None = int(given) if given else self.query.since
        return since


class TaskEventsHandler(EventsHandler):
    """The events of one task. The stream ends with the task."""

    def _since(self) -> int | None:
        return super()._since() or 0
