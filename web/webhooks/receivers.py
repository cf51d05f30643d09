"""Which receivers are told of an event, and at which URL: destinations of the settings, and URLs of tasks. Pure."""

from __future__ import annotations

import msgspec

from conf.webhook_settings import OF_TASKS, SENT_EVENTS, Destination, WebhookSettings
from conf.webhook_url import parse_origin, parse_url, why_not_allowed
from protocol.events import Event
from web.webhooks.delivery import Delivery, NewDelivery
from web.webhooks.webhook_message import CONTENT_TYPES, TestEvent, WebhookMessage, body_of, body_of_test, webhook_id


class Receivers:
    def __init__(self, settings: WebhookSettings) -> None:
        self._allowed_hosts = settings.allowed_hosts
        self.destinations = {destination.name: destination for destination in settings.destinations}
        self.of_tasks = bool(settings.allowed_hosts)
        self.names = [*self.destinations, *([OF_TASKS] if self.of_tasks else [])]
        #: Each destination is a lane of its own, and so is each host to which tasks may point: a receiver that hangs
        #: then holds up nobody else.
        self.lanes = [*self.destinations, *(_lane_of_tasks(parse_origin(host)) for host in settings.allowed_hosts)]

    def told(self, event: Event, task_url: str) -> list[NewDelivery]:
        """The deliveries that an event means. task_url: the webhook of its task, or ""."""
        if event.type not in SENT_EVENTS:
            return []
        new = [_new(event, name, name, "") for name, each in self.destinations.items() if _wants(each, event)]
        if task_url and not why_not_allowed(task_url, self._allowed_hosts):
            new.append(_new(event, OF_TASKS, _lane_of_tasks(parse_url(task_url).origin), task_url))
        return new

    def message_of(self, delivery: Delivery) -> WebhookMessage:
        if delivery.destination == OF_TASKS:
            return WebhookMessage(delivery.url, delivery.webhook_id, delivery.event, CONTENT_TYPES["json"])
        destination = self.destinations[delivery.destination]
        body = delivery.event
        if destination.format != "json":
            body = body_of(msgspec.json.decode(body, type=Event), destination.format)
        return WebhookMessage(destination.url, delivery.webhook_id, body, CONTENT_TYPES[destination.format])

    def test_message(self, name: str, test_id: str, at: str) -> WebhookMessage:
        destination = self.destinations[name]
        body = body_of_test(TestEvent(at, name), destination.format)
        return WebhookMessage(destination.url, test_id, body, CONTENT_TYPES[destination.format])


def _wants(destination: Destination, event: Event) -> bool:
    return event.type in destination.events and destination.user_id in ("", event.user_id)


def _new(event: Event, destination: str, lane: str, url: str) -> NewDelivery:
    return NewDelivery(
        webhook_id=webhook_id(event, destination),
        destination=destination,
        lane=lane,
        url=url,
        task_id=event.task_id,
        event_id=event.id,
        event_type=event.type,
        event=body_of(event, "json"),
    )


def _lane_of_tasks(origin: str) -> str:
    return f"{OF_TASKS}:{origin}"
