"""The records of webhooks: deliveries that are under way or dead, attempts, and how each destination is doing."""

from __future__ import annotations

import msgspec


class Delivery(msgspec.Struct, frozen=True):
    """One event for one destination.

    number: rises with the order of the events. lane: deliveries of one lane share the attempts that may be under way at
    the same time. url: of the task; "" for a destination of the settings, whose URL is looked up at each attempt.
    event: its JSON. attempts: how many have been made. status, error: of the last one.
    """

    number: int
    webhook_id: str
    destination: str
    lane: str
    url: str
    task_id: str
    event_id: int
    event_type: str
    event: bytes
    created_at_s: float
    give_up_at_s: float
    attempts: int
    status: int
    error: str
    dead_at_s: float | None


class NewDelivery(msgspec.Struct, frozen=True):
    """An event that has just been read from the journal, for one destination."""

    webhook_id: str
    destination: str
    lane: str
    url: str
    task_id: str
    event_id: int
    event_type: str
    event: bytes


class Look(msgspec.Struct, frozen=True):
    """What is due now, and when the next delivery is due that is not due yet."""

    due: list[Delivery]
    next_due_at_s: float


class Times(msgspec.Struct, frozen=True):
    """When something happens to deliveries, and until when they are tried. In seconds since the epoch."""

    now_s: float
    give_up_at_s: float


class Attempt(msgspec.Struct, frozen=True):
    """An attempt that was made. status: of the answer; 0 without one. error: "" if it was delivered."""

    webhook_id: str
    destination: str
    task_id: str
    event_type: str
    at_s: float
    took_s: float
    status: int
    error: str


class Record(msgspec.Struct, frozen=True):
    """How a destination is doing. handed_over: the events up to this fact number have been read for it.

    Times are seconds since the epoch; 0.0 means never.
    """

    destination: str
    handed_over: int
    last_success_at_s: float = 0.0
    last_failure_at_s: float = 0.0
    last_error: str = ""


class Count(msgspec.Struct, frozen=True):
    """How many deliveries of a destination wait, and how many are dead letters."""

    waiting: int = 0
    dead: int = 0


class Overview(msgspec.Struct, frozen=True):
    """How webhooks are doing. delivers: whether this front-end is the one that delivers.

    newest: the number of the broker's newest fact; 0 if it is unknown. dead: a page of the dead letters.
    """

    delivers: bool
    newest: int
    records: list[Record]
    counts: dict[str, Count]
    attempts: list[Attempt]
    dead: list[Delivery]
