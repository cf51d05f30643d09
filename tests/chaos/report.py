"""The page docs/reliability.md with the figures of one campaign."""

from __future__ import annotations

import datetime
import textwrap

from benchmarks.machine import describe_machine
from tests.chaos.campaign import Account, Campaign, percentile
from tests.chaos.faults import FAULTS, LEFT_OUT, Fault

LINE_CHARACTERS = 120

HEAD = """# Reliability

This page shows what happens when processes, disks, the network or the clock fail while TFModel trains.
`make test-chaos` runs the campaign and writes this page.

The campaign starts the real service, which trains small classifiers on digits. A simulated website posts folders with
an `Idempotency-Key`, so that two tasks are always live. Meanwhile the campaign injects one fault after the other, in
random order and at random moments of a training. After the last fault it waits until every task has ended. Every
accepted task must then have ended exactly once, be `done`, and have a model with a manifest.

## Result
"""

COLUMNS = """## Each fault

- **Lost** tasks have no end in the journal. Tasks that **ended twice** have more than one. Tasks in a **wrong state**
  are not `done` in the journal or for the website, or have no model with a manifest.
- **Recovery** is the time from the fault until it is overcome. For a fault that lasts, it counts from the end of the
  fault. p50 and p99 are the median and the 99th percentile. After the kill of an agent it includes loading TensorFlow,
  because the spare trainer process dies with its agent.
- **Limit** is the longest allowed recovery, and **over limit** counts the recoveries that took longer.
- **Repeated work** is the time from the start of the next attempt until the task is as far as before the fault.
- A dash means that the column does not apply to the fault.
"""

HEADINGS = (
    "fault",
    "injected",
    "lost",
    "ended twice",
    "wrong state",
    "overcome when",
    "recovery p50",
    "recovery p99",
    "limit",
    "over limit",
    "repeated work p50",
    "repeated work p99",
)


def write_report(campaign: Campaign, account: Account, journal: str, minutes: float) -> str:
    """Return the page as Markdown. journal: what SQLite's integrity check says. minutes: how long the campaign took."""
    injected = sum(tally.injected for tally in campaign.tallies.values())
    totals = {
        "date": datetime.date.today().isoformat(),
        "faults": f"{injected} in {minutes:.0f} minutes",
        "accepted tasks": account.tasks,
        "tasks lost": f"**{len(account.lost)}**",
        "tasks that ended twice": f"**{len(account.ended_twice)}**",
        "tasks in a wrong state": f"**{len(account.wrong_state)}**",
        "attempts beyond the first of a task": account.attempts_beyond_first,
        "SQLite's integrity check of the journal": journal,
        "machine": describe_machine(),
    }
    lines = [HEAD, "| | |", "|---|---|", *(_row(name, value) for name, value in totals.items()), ""]
    if LEFT_OUT:
        names = "; ".join(fault.name for fault in LEFT_OUT)
        lines += [_wrapped(f"This machine does not allow these faults, so they were left out: {names}."), ""]
    lines += [COLUMNS, _row(*HEADINGS), "|---" * len(HEADINGS) + "|"]
    lines += [row for fault in FAULTS if (row := _fault_row(fault, campaign, account))]
    return "\n".join([*lines, ""])


def _fault_row(fault: Fault, campaign: Campaign, account: Account) -> str:
    """The table row of a fault; "" if it was never overcome in this campaign."""
    tally = campaign.tallies.get(fault.name)
    if tally is None or not tally.recovery_s:
        return ""
    bad_tasks = [len(tally.tasks & bad) for bad in (account.lost, account.ended_twice, account.wrong_state)]
    limit = f"{fault.within_s:.0f} s" if fault.within_s else "-"
    over_limit = str(tally.over_limit) if fault.within_s else "-"
    recovery, repeated = _percentiles(tally.recovery_s), _percentiles(tally.repeated_s)
    return _row(fault.name, tally.injected, *bad_tasks, fault.overcome, *recovery, limit, over_limit, *repeated)


def _row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _wrapped(text: str) -> str:
    return textwrap.fill(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def _percentiles(values_s: list[float]) -> tuple[str, str]:
    """p50 and p99 as table cells."""
    if not values_s:
        return "-", "-"
    return f"{percentile(values_s, 50):.2f} s", f"{percentile(values_s, 99):.2f} s"
