"""The section [webhooks] of the settings: who is told of events, and to which hosts webhooks may go."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from conf.webhook_addresses import AddressRules, address_of, network_of
from conf.webhook_url import parse_origin, parse_url
from protocol.events import EVENT_TYPES, EventType

#: Stands for the receivers that tasks name themselves.
OF_TASKS = "task"
#: Progress is never sent: it is no fact, and a receiver of hundreds of calls a task is better off with the stream.
SENT_EVENTS: tuple[EventType, ...] = tuple(each for each in EVENT_TYPES if each != "task.progress")
#: Together they stay below the attempts that are under way at the same time (web/webhooks/deliveries.py), so that
#: receivers that hang cannot take all of them.
MAX_DESTINATIONS = 16
MAX_ALLOWED_HOSTS = 32

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}\Z")]
Seconds = Annotated[float, Meta(gt=0, le=30 * 86400)]


class Destination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One receiver. events: the types that it is told of. user_id: only of this user's tasks; "" for all."""

    name: Name
    url: str
    events: Annotated[tuple[EventType, ...], Meta(min_length=1)] = SENT_EVENTS
    format: Literal["json", "form"] = "json"
    user_id: Annotated[str, Meta(max_length=4096)] = ""


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    destinations: Annotated[list[Destination], Meta(max_length=MAX_DESTINATIONS)]
    allowed_hosts: Annotated[list[str], Meta(max_length=MAX_ALLOWED_HOSTS)]
    allowed_private: list[str]
    timeout_s: Annotated[float, Meta(gt=0, le=120)]
    first_retry_s: Seconds
    longest_retry_s: Seconds
    keep_trying_s: Seconds

    @property
    def have_receivers(self) -> bool:
        """Whether there are destinations, or hosts that tasks may name."""
        return bool(self.destinations or self.allowed_hosts)


def why_bad(webhooks: WebhookSettings) -> str:
    """What is wrong with the section, as a sentence that names the key; "" if it is fine.

    The sentence shows no URL, because it may hold a secret of the receiver.
    """
    for entry in webhooks.allowed_private:
        if network_of(entry) is None and not _HOST.fullmatch(entry):
            return (
                f"[webhooks] allowed_private: {entry[:200]!r} is not allowed; name an address (127.0.0.1), a network "
                "(10.0.0.0/8) or a host (backend.internal), without a port."
            )
    for host in webhooks.allowed_hosts:
        try:
            parse_origin(host)
        except ValueError as error:
            return f"[webhooks] allowed_hosts: {host[:200]!r} is not allowed. {error}"
    return next(filter(None, (_why_bad(destination, webhooks) for destination in webhooks.destinations)), "")


def _why_bad(destination: Destination, webhooks: WebhookSettings) -> str:
    name = destination.name
    if name == OF_TASKS:
        return f"[webhooks] destinations: the name {name!r} is kept for the URLs of tasks; choose another."
    if [each.name for each in webhooks.destinations].count(name) > 1:
        return f"[webhooks] destinations: the name {name!r} is there twice; choose another for one of them."
    if "task.progress" in destination.events:
        return (
            f"[webhooks] destinations: {name} wants task.progress, which is never sent; leave it out, and read "
            "progress from /v1/events."
        )
    try:
        host = parse_url(destination.url).host
    except ValueError as error:
        return f"[webhooks] destinations: the url of {name} is not allowed. {error}"
    literal = "127.0.0.1" if host == "localhost" else host if address_of(host) else ""
    if literal and (why := AddressRules(webhooks.allowed_private).why_refused(host, literal)):
        return f"[webhooks] destinations: the url of {name} leads nowhere: {why}"
    return ""
