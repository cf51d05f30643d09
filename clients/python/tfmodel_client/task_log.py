"""Reads the log of a task line by line, while it is written if the caller wants."""

from __future__ import annotations

import dataclasses

from tfmodel_client.errors import UnreachableError, error_of
from tfmodel_client.event_source import SILENCE_S
from tfmodel_client.paths import path_of, query_of
from tfmodel_client.retrying import (
    LONGEST_PAUSE_S,
    PASSING_STATUSES,
    REQUEST_ID,
    TRIES,
    identified,
    pause_s,
    retry_after_s,
)
from tfmodel_client.steps import (
    Close,
    ConnectionLostError,
    Give,
    ItemPlan,
    Pause,
    Request,
    open_body,
    read,
    read_to_end,
)


def log(task_id: str, follow: bool = False) -> ItemPlan[str]:
    """The lines of a task's log, without their line ends. follow: wait for more of them until the task has ended.

    A lost connection is made again, and the log continues after the last byte: for ever with `follow`, else for some
    seconds.
    """
    request = identified(Request("GET", path_of("v1", "tasks", task_id, "log"), silence_s=SILENCE_S))
    offset_bytes, rest, failures = 0, b"", 0
    while True:
        asked_s, lost = 0.0, ""
        query = query_of({"follow": 1 if follow else None, "offset": offset_bytes})
        try:
            answer = yield from open_body(dataclasses.replace(request, query=query))
            if answer.status == 200:
                while piece := (yield from read()):
                    offset_bytes, failures = offset_bytes + len(piece), 0
                    *lines, rest = (rest + piece).split(b"\n")
                    for line in lines:
                        yield Give(line.decode("utf-8", "replace"))
                if rest:
                    yield Give(rest.decode("utf-8", "replace"))
                return
            if answer.status not in PASSING_STATUSES:
                body = yield from read_to_end()
                raise error_of(dataclasses.replace(answer, body=body), request.headers[REQUEST_ID])
            asked_s, lost = retry_after_s(answer) or 0.0, f"The server answers with status {answer.status}."
        except ConnectionLostError as error:
            lost = str(error)
        failures += 1
        if not follow and failures == TRIES:
            raise UnreachableError(lost, request_id=request.headers[REQUEST_ID])
        yield Close()
        yield Pause(pause_s(failures, min(asked_s, LONGEST_PAUSE_S)))
