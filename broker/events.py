"""What goes into the core and what comes out of it. Plain values: no sockets, no clock."""

from __future__ import annotations

import msgspec

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


class Now(msgspec.Struct, frozen=True):
    """monotonic_s runs leases and never steps; wall_s (since the epoch) is only written down."""

    monotonic_s: float
    wall_s: float


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
