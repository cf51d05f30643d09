"""The largest size of each message field, and how senders stay within it.

The types below carry their bounds, so a message that could be decoded is within all of them. A larger field is refused
on arrival, before it is stored or forwarded. The length of some texts is not in our hands, for example the message of
an exception or the names of a user's classes. A message that carries one of them shortens it when it is created, so
the receiver never refuses the message for its length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from protocol.text import as_utf8

#: The longest HTTP field, and the longest path: Linux accepts at most 4,096 bytes.
MAX_FIELD_CHARS = 4096
MAX_KEY_CHARS = 200
MAX_NAME_CHARS = 80
MAX_WORD_CHARS = 64
MAX_ERROR_CHARS = 2000
MAX_TRACE_CHARS = 8000
#: The errors of earlier attempts are cut shorter, because one task keeps up to MAX_ENDED_ATTEMPTS of them.
MAX_ATTEMPT_ERROR_CHARS = 500
MAX_ENDED_ATTEMPTS = 200
MAX_NUMBERS = 128
#: Warnings of a finished task. Those beyond are counted in a last sentence.
MAX_WARNINGS = 30
MAX_WARNING_CHARS = 1000
MAX_TRAIN_TYPES = 16

#: The largest whole messages, in bytes. The first three have room for the fields above at four bytes a character.
#: A socket disconnects a peer that sends more. The broker splits long lists into messages of about PART_BYTES.
MAX_REQUEST_BYTES = 256 * 1024
MAX_WORKER_BYTES = 256 * 1024
MAX_PROGRESS_BYTES = 128 * 1024
PART_BYTES = 1024 * 1024
MAX_PAYLOAD_BYTES = 4 * 1024 * 1024

#: Control characters (Unicode's class Cc) could forge lines in a log. The texts of a task do not use this pattern,
#: because checking it at every socket takes time. The broker checks them once, at the submit (broker/claims.py). See
#: docs/choices.md, "What makes a POST cheap".
NO_CONTROL_CHARS = r"\A[^\x00-\x1f\x7f-\x9f]*\Z"

#: 32 hexadecimal digits and nothing else, because a task id is also the name of a folder.
TaskId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z", max_length=32)]
#: "" means no task.
TaskIdOrNone = Annotated[str, Meta(pattern=r"\A([0-9a-f]{32})?\Z", max_length=32)]
Attempt = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Whole = Annotated[int, Meta(ge=0, le=2**62)]
#: A text that a caller wrote, or a path.
Text = Annotated[str, Meta(max_length=MAX_FIELD_CHARS)]
RequestKey = Annotated[str, Meta(max_length=MAX_KEY_CHARS)]
Host = Annotated[str, Meta(min_length=1, max_length=255, pattern=NO_CONTROL_CHARS)]
#: "" means that it is not known.
HostOrNone = Annotated[str, Meta(max_length=255, pattern=NO_CONTROL_CHARS)]
WorkerName = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]{0,80}\Z", max_length=MAX_NAME_CHARS)]
#: The name of a worker or a trainType. Its characters have been checked elsewhere.
KnownName = Annotated[str, Meta(max_length=MAX_NAME_CHARS)]
#: A word without blanks: a code, a phase, a trainType, or a random value in hexadecimal digits.
Word = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9._-]*\Z", max_length=MAX_WORD_CHARS)]
#: The W3C header traceparent in version 00, or "" for none. Whoever uses it checks its form.
TraceParent = Annotated[str, Meta(max_length=55)]
Error = Annotated[str, Meta(max_length=MAX_ERROR_CHARS)]
AttemptError = Annotated[str, Meta(max_length=MAX_ATTEMPT_ERROR_CHARS)]
Trace = Annotated[str, Meta(max_length=MAX_TRACE_CHARS)]
#: These bounds also exclude NaN and infinity. The journal is JSON, which has neither.
Percent = Annotated[float, Meta(ge=0.0, le=100.0)]
Number = Annotated[float, Meta(ge=-1e300, le=1e300)]
Name = Annotated[str, Meta(max_length=MAX_WORD_CHARS)]
Numbers = Annotated[dict[Name, Number], Meta(max_length=MAX_NUMBERS)]
Warnings = Annotated[tuple[Annotated[str, Meta(max_length=MAX_WARNING_CHARS)], ...], Meta(max_length=MAX_WARNINGS)]
TrainTypes = Annotated[tuple[Word, ...], Meta(max_length=MAX_TRAIN_TYPES)]


_task_id = re.compile(r"[0-9a-f]{32}")


def is_task_id(text: str) -> bool:
    """Whether this is a well-formed task id."""
    return _task_id.fullmatch(text) is not None


def refuse_other_than_task_id(text: str) -> None:
    """Raise ValueError unless this is a well-formed task id. Ask before a task id becomes the name of a folder."""
    if not is_task_id(text):
        raise ValueError(f"task id {text[:80]!r} can't name a folder; a task id has 32 lower-case hexadecimal digits")


def shortened(text: str, max_chars: int) -> str:
    """Return `text` in at most `max_chars` characters.

    A longer text keeps its beginning and its end. A note between them gives its full length.
    """
    if len(text) <= max_chars:
        return text
    note = f" … ({len(text)} characters) … "
    kept = max_chars - len(note)
    return text[: kept - kept // 2] + note + text[len(text) - kept // 2 :]


def kept_numbers(numbers: Mapping[str, float]) -> dict[str, float]:
    """Return the numbers that a message can carry: finite values whose names are short enough, at most MAX_NUMBERS."""
    kept = {
        name: number
        for name, number in numbers.items()
        if len(name) <= MAX_WORD_CHARS and math.isfinite(number) and abs(number) <= 1e300
    }
    return kept if len(kept) <= MAX_NUMBERS else dict(list(kept.items())[:MAX_NUMBERS])


def kept_warnings(warnings: Sequence[str]) -> tuple[str, ...]:
    """The warnings that a message can carry: shortened ones in valid UTF-8, up to a maximum number."""
    kept = [shortened(as_utf8(warning), MAX_WARNING_CHARS) for warning in warnings[:MAX_WARNINGS]]
    if len(warnings) > MAX_WARNINGS:
        kept[-1] = f"{len(warnings) - MAX_WARNINGS + 1} more warnings are in metrics.json."
    return tuple(kept)
