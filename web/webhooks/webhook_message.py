"""The message that a webhook sends: its id, its body and its signatures. Pure.

The format is that of the Standard Webhooks specification (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Literal
from urllib.parse import urlencode

import msgspec

from protocol.events import Event

Format = Literal["json", "form"]
CONTENT_TYPES: dict[Format, str] = {"json": "application/json", "form": "application/x-www-form-urlencoded"}


class TestEvent(msgspec.Struct, frozen=True, rename="camel"):
    """The body of a test. It has the type of no event, so no receiver takes it for an event of a task."""

    __test__ = False  # pytest would take its name for that of a test

    at: str
    destination: str
    type: str = "webhook.test"
    message: str = "This is a test. It is about no task."


class WebhookMessage(msgspec.Struct, frozen=True):
    """One webhook, ready to be sent. webhook_id: the same in all attempts."""

    url: str
    webhook_id: str
    body: bytes
    content_type: str


def webhook_id(event: Event, destination: str) -> str:
    """The same for each attempt to tell this destination of this event, and different for everything else.

    The digest keeps ids apart after the journal was replaced by a backup or an empty one: facts are then numbered anew.
    """
    known = "\n".join((destination, event.task_id, event.at, event.type))
    return f"evt_{event.id}_{hashlib.sha256(known.encode()).hexdigest()[:16]}"


def body_of(event: Event, form: Format) -> bytes:
    if form == "json":
        return msgspec.json.encode(event)
    # The fields that the callers of the original API know.
    fields = {
        "taskId": event.task_id,
        "modelPath": event.model_path,
        "progress": str(event.progress),
        "state": event.state,
    }
    if event.error:
        fields |= {"error": event.error, "code": event.code}
    return urlencode(fields).encode()


def body_of_test(test: TestEvent, form: Format) -> bytes:
    if form == "json":
        return msgspec.json.encode(test)
    return urlencode({"taskId": "", "modelPath": "", "progress": "0.0", "state": "test"}).encode()


def headers_of(message: WebhookMessage, keys: Iterable[bytes], at_s: float) -> list[tuple[str, str]]:
    """The headers of one attempt. keys: of the secrets, the newest first. at_s: the time of the attempt."""
    signed = f"{message.webhook_id}.{int(at_s)}.".encode() + message.body
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return [
        ("Content-Type", message.content_type),
        ("User-Agent", "TFModel"),
        ("webhook-id", message.webhook_id),
        ("webhook-timestamp", str(int(at_s))),
        ("webhook-signature", " ".join(f"v1,{signature}" for signature in signatures)),
    ]
