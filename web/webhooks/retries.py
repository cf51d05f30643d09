"""The outcome of an attempt, and what follows: nothing, another attempt, or a dead letter. Pure."""

from __future__ import annotations

import msgspec

from conf.webhook_settings import WebhookSettings

GONE = 410
#: A receiver may ask for a longer pause with Retry-After, but not for a longer one than this.
MOST_RETRY_AFTER_S = 3600.0


class Outcome(msgspec.Struct, frozen=True):
    """The outcome of one attempt.

    status: of the answer; 0 without one. error: a sentence; "" if it was delivered. answer: the beginning of the body.
    """

    status: int
    error: str = ""
    retry_after_s: float = 0.0
    took_s: float = 0.0
    answer: str = ""

    @property
    def delivered(self) -> bool:
        return 200 <= self.status < 300


def next_try_s(
    outcome: Outcome, attempts: int, now_s: float, give_up_at_s: float, settings: WebhookSettings
) -> float | None:
    """Seconds until the next attempt, before they are spread; None if there is none, so it becomes a dead letter.

    attempts: how many have failed, with this one.
    """
    if outcome.status == GONE or now_s >= give_up_at_s:
        return None
    pause_s = min(settings.first_retry_s * 2.0 ** min(attempts - 1, 60), settings.longest_retry_s)
    pause_s = max(pause_s, min(outcome.retry_after_s, MOST_RETRY_AFTER_S))
    # The last attempt is made when the time is up, and not up to an hour before.
    return min(pause_s, give_up_at_s - now_s)


def spread_s(pause_s: float, drawn: float) -> float:
    """The pause, made up to a quarter longer, so that what failed together does not come back together.

    drawn: at random, from 0 to 1.
    """
    return pause_s * (1.0 + 0.25 * drawn)
