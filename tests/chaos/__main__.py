"""`python -m tests.chaos [--faults N] [--seed S] [--write]`: inject faults into the real service, check every task."""

from __future__ import annotations

import argparse
import sys
import time

from tests.chaos.campaign import Campaign, account_for, integrity
from tests.chaos.document import write_part
from tests.chaos.faults import FAULTS
from tests.chaos.report import write_report
from tests.chaos.surroundings import running_service


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=300, help="how many faults to inject")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the order and the moments of the faults")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    with running_service() as place:
        began_s = time.monotonic()
        campaign = Campaign(place, arguments.seed)
        campaign.run([FAULTS[number % len(FAULTS)] for number in range(arguments.faults)], say)
        campaign.finish()
        account = account_for(campaign)
        page = write_report(campaign, account, integrity(campaign), (time.monotonic() - began_s) / 60)
    say(page)
    for task_id, facts in account.stories.items():
        say("\n  ".join([task_id, *facts]))
    if arguments.write:
        write_part("campaign", page)
    sys.exit(bool(account.lost or account.ended_twice or account.wrong_state))


if __name__ == "__main__":
    main()
