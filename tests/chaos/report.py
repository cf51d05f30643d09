"""docs/reliability.md: the figures of one campaign."""

from __future__ import annotations

import datetime

from benchmarks.machine import describe_machine
from tests.chaos.campaign import Account, Campaign, percentile
from tests.chaos.faults import FAULTS, LEFT_OUT

HEAD = """# Reliability

What happened when TFModel was broken on purpose: real processes, real small trainings (digits), faults at random
moments of a training. `make test-chaos` runs the campaign and writes this page.

A website's back-end posts folders with an `Idempotency-Key` and forgets about them; two tasks are always live. After
the last fault every task that had been accepted must have ended once, be `done`, and have its model with a manifest.
"""


def write_report(campaign: Campaign, account: Account, journal: str, minutes: float) -> str:
    """The page as Markdown."""
    tried = sum(tally.tried for tally in campaign.tallies.values())
    lines = [
        HEAD,
        f"{datetime.date.today().isoformat()}: {tried} faults in {minutes:.0f} minutes, {account.tasks} tasks. "
        f"Tasks lost: **{len(account.lost)}**. Ended twice: **{len(account.ended_twice)}**. "
        f"Wrong state: **{len(account.wrong_state)}**. Attempts beyond the first: {account.attempts_beyond_first}. "
        f"The journal's integrity check says: {journal}.",
        "",
        f"Machine: {describe_machine()}.",
        "",
        "| fault | tried | tasks lost | ended twice | wrong state | overcome when | p50 | p99 | limit | later "
        "| repeated p50 | p99 |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for fault in FAULTS:
        tally = campaign.tallies.get(fault.name)
        if tally is None or not tally.recovery_s:
            continue
        counts = [len(tally.tasks & bad) for bad in (account.lost, account.ended_twice, account.wrong_state)]
        limit = f"{fault.within_s:.0f} s" if fault.within_s else "-"
        late = str(tally.too_late) if fault.within_s else "-"
        took, repeated = _percentiles(tally.recovery_s), _percentiles(tally.repeated_s)
        cells = [fault.name, tally.tried, *counts, fault.overcome, *took, limit, late, *repeated]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    if LEFT_OUT:
        lines += ["", "Left out, since this machine does not allow them: " + "; ".join(f.name for f in LEFT_OUT) + "."]
    lines += [
        "",
        "Seconds count from the fault; for faults that last, from their end. The agent's recovery includes loading",
        "TensorFlow anew, since its spare trainer process dies with it. Repeated: from the next attempt's start until",
        "the task is as far as it was before the fault.",
        "",
    ]
    return "\n".join(lines)


def _percentiles(values_s: list[float]) -> tuple[str, str]:
    """p50 and p99."""
    if not values_s:
        return "-", "-"
    return f"{percentile(values_s, 50):.2f} s", f"{percentile(values_s, 99):.2f} s"
