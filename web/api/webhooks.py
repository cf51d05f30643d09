"""Webhooks, as the operator sees them. No secret is shown, and of a URL only scheme, host and port."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from conf.webhook_settings import OF_TASKS
from protocol.events import EventType

MAX_PAGE_DEAD = 200


class WebhooksQuery(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which page of the dead letters is wanted."""

    cursor: Annotated[int, Meta(ge=0, le=2**62, description="`next` of the page before; 0 for the first page")] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE_DEAD, description="the most dead letters on the page")] = 50


class DestinationView(msgspec.Struct, frozen=True, rename="camel"):
    """One receiver, and how it is doing."""

    name: Annotated[str, Meta(description=f"its name in the settings; {OF_TASKS!r} stands for the URLs of tasks")]
    origin: Annotated[str, Meta(description="scheme, host and port of its URL; empty for the URLs of tasks")]
    events: tuple[EventType, ...]
    format: Literal["json", "form"]
    user_id: Annotated[str, Meta(description="the only user whose tasks it is told of; empty for all users")]
    waiting: Annotated[int, Meta(description="webhooks that are not delivered yet")]
    dead: Annotated[int, Meta(description="webhooks that were given up")]
    lag: Annotated[int, Meta(description="how many facts of the journal have not been looked at yet for it")]
    last_success_at: str | None
    last_failure_at: str | None
    last_error: str


class AttemptView(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt to deliver a webhook."""

    webhook_id: Annotated[str, Meta(description="the header webhook-id; the same in all attempts")]
    destination: str
    task_id: str
    event_type: EventType
    at: str
    took_seconds: float
    status: Annotated[int, Meta(description="the status of the receiver's answer; 0 without an answer")]
    error: Annotated[str, Meta(description="why it failed; empty if it was delivered")]


class DeadLetter(msgspec.Struct, frozen=True, rename="camel"):
    """A webhook that was given up. It can be sent again."""

    id: Annotated[int, Meta(description="the number to send it again by /v1/webhooks/dead-letters/{id}/resend")]
    webhook_id: str
    destination: str
    task_id: str
    event_id: int
    event_type: EventType
    created_at: str
    died_at: str
    attempts: int
    status: Annotated[int, Meta(description="the status of the last answer; 0 without an answer")]
    error: str


class WebhookOverview(msgspec.Struct, frozen=True, rename="camel"):
    """Destinations, the newest attempts, and a page of the dead letters."""

    delivers: Annotated[bool, Meta(description="whether this front-end is the one that delivers")]
    destinations: tuple[DestinationView, ...]
    attempts: Annotated[tuple[AttemptView, ...], Meta(description="the newest attempts, the newest first")]
    dead_letters: Annotated[tuple[DeadLetter, ...], Meta(description="a page of the dead letters, the newest first")]
    next: Annotated[int, Meta(description="the cursor of the next page; 0 after the last one")]


class WebhookTest(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which destination is sent a test."""

    destination: Annotated[str, Meta(max_length=40, description="its name; empty for all of them")] = ""


class TestResult(msgspec.Struct, frozen=True, rename="camel"):
    """What came back from one destination."""

    __test__ = False  # pytest would take its name for that of a test

    destination: str
    delivered: bool
    status: Annotated[int, Meta(description="the status of the answer; 0 without an answer")]
    error: Annotated[str, Meta(description="why it failed; empty if it was delivered")]
    answer: Annotated[str, Meta(description="the beginning of the answer's body")]
    took_seconds: float


class TestResults(msgspec.Struct, frozen=True, rename="camel"):
    """What came back from each destination."""

    __test__ = False

    results: tuple[TestResult, ...]
