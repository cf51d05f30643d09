"""The steps of a call, as values: what to send, what to read, how long to pause.

A call is a generator, called a plan. It yields steps and receives their results, and never touches a socket itself.
`Client` carries steps out with blocking calls, `AsyncClient` with awaited ones, so each call is written once for both.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Request:
    """An HTTP request.

    path: from the server's address on, percent-encoded. query: pairs of name and value.
    files: (file name, bytes) of each picture, sent as multipart fields named `picture`; body is empty then.
    silence_s: the longest time without a byte of the answer; None for the time-out of the client.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    files: tuple[tuple[str, bytes], ...] = ()
    silence_s: float | None = None


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. headers: names in small letters. body: empty where the body is read piece by piece."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Send:
    """Send a request. The result is the Answer with its whole body."""

    request: Request


@dataclass(frozen=True)
class Open:
    """Send a request and leave its body for Read. The result is the Answer. A plan has one body open at a time."""

    request: Request


@dataclass(frozen=True)
class Read:
    """Read the next piece of the open body. The result is its bytes, or b"" at the end."""


@dataclass(frozen=True)
class Close:
    """Close the open body, whether it has been read or not. Does nothing where none is open."""


@dataclass(frozen=True)
class Pause:
    """Wait before the next step."""

    seconds: float


@dataclass(frozen=True)
class Work:
    """Call a function that may wait for a disk. The result is what it returns."""

    function: Callable[[], Any]


@dataclass(frozen=True)
class Give(Generic[T_co]):
    """Hand an item to the caller, who iterates over what the call finds."""

    item: T_co


Step = Send | Open | Read | Close | Pause | Work
#: A call with one result.
Plan = Generator[Step, Any, R]
#: A call that the caller iterates over.
ItemPlan = Generator["Step | Give[T]", Any, None]


class ConnectionLostError(Exception):
    """What Send, Open and Read raise in a plan when there is no connection, or none any more."""


def send(request: Request) -> Plan[Answer]:
    answer: Answer = yield Send(request)
    return answer


def open_body(request: Request) -> Plan[Answer]:
    answer: Answer = yield Open(request)
    return answer


def read() -> Plan[bytes]:
    piece: bytes = yield Read()
    return piece


def read_to_end() -> Plan[bytes]:
    pieces = []
    while piece := (yield from read()):
        pieces.append(piece)
    return b"".join(pieces)


def work(function: Callable[[], T]) -> Plan[T]:
    result: T = yield Work(function)
    return result


@dataclass(frozen=True)
class Ended(Generic[R]):
    """A plan has ended with this result."""

    result: R


def advance(plan: Generator[Step | Give[T], Any, R], outcome: object) -> Step | Give[T] | Ended[R]:
    """Resume a plan with what its last step came to, which is a result or an exception; None to begin.

    Returns what it yields next. What the plan raises itself comes out here.
    """
    try:
        return plan.throw(outcome) if isinstance(outcome, Exception) else plan.send(outcome)
    except StopIteration as end:
        return Ended(end.value)
