"""Turns what is known of webhooks into answers of the HTTP calls. Pure."""

from __future__ import annotations

from typing import cast

from conf.webhook_settings import SENT_EVENTS
from conf.webhook_url import parse_url
from protocol.events import EventType, iso
from web.answers.views import time_or_none
from web.api.webhooks import AttemptView, DeadLetter, DestinationView, TestResult, WebhookOverview
from web.webhooks.delivery import Count, Delivery, Overview, Record
from web.webhooks.receivers import Receivers
from web.webhooks.retries import Outcome


def overview_view(overview: Overview, receivers: Receivers, limit: int) -> WebhookOverview:
    """limit: the most dead letters of the page. The overview has one more if there is a next page."""
    records = {record.destination: record for record in overview.records}
    page = overview.dead[:limit]
    return WebhookOverview(
        delivers=overview.delivers,
        destinations=tuple(_destination(name, receivers, records.get(name), overview) for name in receivers.names),
        attempts=tuple(
            AttemptView(
                webhook_id=each.webhook_id,
                destination=each.destination,
                task_id=each.task_id,
                event_type=cast(EventType, each.event_type),
                at=iso(each.at_s),
                took_seconds=round(each.took_s, 3),
                status=each.status,
                error=each.error,
            )
            for each in overview.attempts
        ),
        dead_letters=tuple(dead_letter_view(each) for each in page),
        next=page[-1].number if len(overview.dead) > limit else 0,
    )


def _destination(name: str, receivers: Receivers, record: Record | None, overview: Overview) -> DestinationView:
    settings = receivers.destinations.get(name)
    count = overview.counts.get(name, Count())
    return DestinationView(
        name=name,
        origin=parse_url(settings.url).origin if settings else "",
        events=settings.events if settings else SENT_EVENTS,
        format=settings.format if settings else "json",
        user_id=settings.user_id if settings else "",
        waiting=count.waiting,
        dead=count.dead,
        lag=max(0, overview.newest - record.handed_over) if record else 0,
        last_success_at=time_or_none(record.last_success_at_s) if record else None,
        last_failure_at=time_or_none(record.last_failure_at_s) if record else None,
        last_error=record.last_error if record else "",
    )


def dead_letter_view(delivery: Delivery) -> DeadLetter:
    return DeadLetter(
        id=delivery.number,
        webhook_id=delivery.webhook_id,
        destination=delivery.destination,
        task_id=delivery.task_id,
        event_id=delivery.event_id,
        event_type=cast(EventType, delivery.event_type),
        created_at=iso(delivery.created_at_s),
        died_at=iso(delivery.dead_at_s or 0.0),
        attempts=delivery.attempts,
        status=delivery.status,
        error=delivery.error,
    )


def result_view(name: str, outcome: Outcome) -> TestResult:
    return TestResult(name, outcome.delivered, outcome.status, outcome.error, outcome.answer, round(outcome.took_s, 3))
