"""What goes into the core and what comes out of it. Plain values: no sockets, no clock."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from broker.facts import Record
from protocol.messages import (
    BrokerToWeb,
    BrokerToWorker,
    Cancel,
    Lookup,
    StopEarly,
    TaskChanged,
    WebToBroker,
    WorkerToBroker,
)
from protocol.task import Task


class Now(msgspec.Struct, frozen=True):
    """monotonic_s runs leases and never steps; wall_s (since the epoch) is only written down."""

    monotonic_s: float
    wall_s: float


class Recovered(msgspec.Struct, frozen=True):
    """What a broker finds in its journal when it starts.

    records: the facts of the tasks that have not ended, in order. seq: number of the newest fact ever written. ended:
    the tasks that ended last, oldest first. keyed: the tasks that came with a request key that still counts.
    """

    records: Sequence[Record] = ()
    seq: int = 0
    ended: Sequence[Task] = ()
    keyed: Sequence[Task] = ()


class FromWeb(msgspec.Struct, frozen=True):
    peer: bytes
    message: WebToBroker


class FromWorker(msgspec.Struct, frozen=True):
    peer: bytes
    message: WorkerToBroker


class TimePassed(msgspec.Struct, frozen=True):
    """Nothing arrived, but a deadline may have passed."""


Event = FromWeb | FromWorker | TimePassed


class SendWeb(msgspec.Struct, frozen=True):
    peer: bytes
    message: BrokerToWeb


class SendWorker(msgspec.Struct, frozen=True):
    peer: bytes
    message: BrokerToWorker


class Publish(msgspec.Struct, frozen=True):
    """What one commit changes is published together."""

    change: TaskChanged


class ReadEnded(msgspec.Struct, frozen=True):
    """The task is not in memory: read it from the journal and answer with `answers.about_ended`."""

    peer: bytes
    request: Lookup | Cancel | StopEarly


class LeftOut(msgspec.Struct, frozen=True):
    """The task is too large for any message, so a snapshot went out without it."""

    task_id: str


Effect = SendWeb | SendWorker | Publish | ReadEnded | LeftOut
