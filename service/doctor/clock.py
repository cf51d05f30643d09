"""The part of the doctor that looks at the clock. Times of tasks, retention and pauses of webhooks depend on it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import closing, suppress

from broker.journal import JournalError
from broker.journal_store import journal_store
from conf.broker_settings import BrokerSettings
from conf.settings import ROOT, Settings
from service.doctor.result import Result, bad, ok, warn
from service.own_front_end import server_time_s

#: The Date header of HTTP has whole seconds.
MOST_SKEW_S = 2.0
#: The newest fact of the journal may be written while the clock is read.
MOST_AHEAD_S = 5.0
CURE = "Set the clock, and let chrony or systemd-timesyncd keep it."


def look(settings: Settings) -> Iterator[Result]:
    now_s = time.time()
    now = datetime.datetime.fromtimestamp(now_s).astimezone()
    words = f"It is {now:%Y-%m-%d %H:%M:%S} {now.tzname()} (UTC{now:%z})"
    newest_s = newest_fact_s(settings.broker)
    if newest_s is not None and newest_s > now_s + MOST_AHEAD_S:
        yield bad("clock", f"{words}, but the journal's newest fact is {newest_s - now_s:,.0f} s in the future.", CURE)
    elif now_s < (ROOT / "requirements.txt").stat().st_mtime:
        yield bad("clock", f"{words}, which is before this program was installed.", CURE)
    else:
        yield ok("clock", words)
    at_server_s = server_time_s(settings.web)
    if at_server_s is None:
        return
    skew_s = abs(at_server_s - time.time())
    if skew_s > MOST_SKEW_S:
        yield warn("clock", f"The front-end's clock differs from this one by {skew_s:,.0f} s.", CURE)
    else:
        yield ok("clock", "The front-end has the same time")


def newest_fact_s(broker: BrokerSettings) -> float | None:
    """When the newest fact was recorded, in seconds since the epoch. None if there is none, or no sound journal."""
    with suppress(JournalError), closing(journal_store(broker).open_view()) as view, view.snapshot():
        return view.newest_at_s()
    return None
