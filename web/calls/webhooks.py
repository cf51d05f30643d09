"""`/v1/webhooks`: how webhooks are doing, tests, and dead letters. They cover all users."""

from __future__ import annotations

import asyncio

from web.answers.refusal import Refusal
from web.api.webhooks import TestResults, WebhooksQuery, WebhookTest
from web.json_handler import JsonHandler
from web.webhooks.service import WebhooksUnavailableError
from web.webhooks.views import dead_letter_view, overview_view, result_view

_UNAVAILABLE = "The file of the webhooks cannot be used now; the server's log says why. Try again shortly."


class WebhookHandler(JsonHandler):
    """The base of the calls about webhooks."""

    def prepare(self) -> None:
        super().prepare()
        if self.caller.user:
            raise Refusal(
                "user_not_allowed",
                f"This token belongs to userId={self.caller.user!r}, and webhooks cover all users; use a token for all "
                "users.",
            )


class WebhooksHandler(WebhookHandler):
    """GET shows the destinations, the newest attempts and the dead letters."""

    query: WebhooksQuery

    async def get(self) -> None:
        webhooks, limit = self.services.webhooks, self.query.limit
        try:
            overview = await webhooks.overview(self.query.cursor, limit + 1)
        except WebhooksUnavailableError as error:
            raise Refusal("webhooks_unavailable", _UNAVAILABLE) from error
        self.send(overview_view(overview, webhooks.receivers, limit))


class WebhookTestHandler(WebhookHandler):
    """POST sends a test to one destination or to all, and answers what came back."""

    async def post(self) -> None:
        webhooks = self.services.webhooks
        wanted = self.read_body(WebhookTest).destination
        names = [wanted] if wanted else list(webhooks.receivers.destinations)
        unknown = set(names) - webhooks.receivers.destinations.keys()
        if unknown or not names:
            known = ", ".join(webhooks.receivers.destinations) or "none"
            raise Refusal(
                "unknown_destination",
                f"There is no destination {wanted!r}; those of [webhooks] destinations are: {known}.",
            )
        outcomes = await asyncio.gather(*(webhooks.test(name) for name in names))
        self.send(TestResults(tuple(map(result_view, names, outcomes))))


class DeadLetterResendHandler(WebhookHandler):
    """POST sends a dead letter again."""

    async def post(self, dead_letter_id: str) -> None:
        number = int(dead_letter_id) if dead_letter_id.isascii() and dead_letter_id.isdecimal() else -1
        webhooks = self.services.webhooks
        try:
            found = await webhooks.resend(number) if 0 < number < 2**62 else None
        except WebhooksUnavailableError as error:
            raise Refusal("webhooks_unavailable", _UNAVAILABLE) from error
        if found is None:
            raise Refusal(
                "unknown_dead_letter",
                f"There is no dead letter {dead_letter_id[:80]!r}; it may have been sent again already. "
                "GET /v1/webhooks lists them.",
            )
        if found.lane not in webhooks.receivers.lanes:
            raise Refusal(
                "destination_left",
                f"The destination of this dead letter ({found.lane[:200]}) is not in the settings any more; put it "
                "back under [webhooks], restart the front-end, and send it again.",
            )
        self.send(dead_letter_view(found), 202)
