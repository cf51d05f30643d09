"""The part of docs/reliability.md about brokers that stand by."""

from __future__ import annotations

import datetime

from benchmarks.machine import describe_machine
from tests.chaos.campaign import percentile
from tests.chaos.document import table
from tests.chaos.standby.campaign import TRAIN_S, WORKERS, Account, Campaign
from tests.chaos.standby.faults import FAULTS

INTRODUCTION = f"""## A standby broker

`python -m tests.chaos.standby --write` writes this part. Two brokers share a journal in PostgreSQL. Each has a proxy of
its own in front of the database, which can reset or freeze its connections. A website posts tasks with an
`Idempotency-Key` all the time, repeats each POST until it is accepted, and posts one in five again after that.
{WORKERS} real agents take the tasks, but their trainers only wait for {TRAIN_S} s. A reader follows the event stream
of the front-end over one connection. A broker that ends is started again, as supervisord does it.

The time is that from the beginning of the fault until a POST is answered that was sent afterwards. If the leadership
must pass on, that is the new leader's answer.
"""
COLUMNS = ("fault", "injected", "POST answered p50", "p90", "longest", "limit", "over limit")


def report(campaign: Campaign, account: Account, minutes: float) -> str:
    tallies = campaign.tallies
    totals = {
        "faults": f"{sum(len(tally.took_s) for tally in tallies.values())} in {minutes:.0f} minutes",
        "accepted tasks, and facts in the journal": f"{account.tasks}, {account.facts}",
        "tasks lost": f"**{len(account.lost)}**",
        "keys that made two tasks": f"**{len(account.made_twice)}**",
        "tasks that ended twice": f"**{len(account.ended_twice)}**",
        "tasks in a wrong state": f"**{len(account.wrong_state)}**",
        "numbers of facts that are missing or come twice": f"**{len(account.holes)}**",
        "events that the reader missed, got twice or out of order": f"**{len(account.unheard)}**",
        "attempts beyond the first of a task": account.attempts_beyond_first,
        "starts of a broker that had ended": campaign.programs.restarts,
        "date": datetime.date.today().isoformat(),
        "machine": describe_machine(),
    }
    rows = []
    for fault in FAULTS:
        took_s = tallies[fault.name].took_s
        if took_s:
            times = [f"{value:.1f} s" for value in (percentile(took_s, 50), percentile(took_s, 90), max(took_s))]
            rows.append((fault.name, len(took_s), *times, f"{fault.within_s:.0f} s", tallies[fault.name].late))
    return "\n".join([INTRODUCTION, table(("", ""), list(totals.items())), "", table(COLUMNS, rows), ""])
