"""`python -m tests.chaos [--faults N] [--seed S] [--write]`: break the real service on purpose and account for it."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator

from tests.chaos.campaign import PROJECTS, Campaign, account_for, integrity
from tests.chaos.report import write_report
from tests.chaos.surroundings import Surroundings, surroundings_of
from tests.process.service_under_test import REPOSITORY, service_copy
from tests.process.small_projects import make_digits_project


def say(line: str) -> None:
    print(line, flush=True)


@contextlib.contextmanager
def running_service() -> Iterator[Surroundings]:
    settings = {"WEB_MIN_FREE_MB": "1", "WORKER_KEEP_MODELS": "0", "WORKER_TASKS_PER_PROCESS": "10"}
    with service_copy(**settings) as service, surroundings_of(service) as place:
        for number in range(PROJECTS):
            make_digits_project(service.projects / f"p{number}")
        started = service.command("start")
        if started.returncode != 0:
            sys.exit(started.stdout + started.stderr)
        try:
            yield place
        finally:
            service.command("stop")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    with running_service() as place:
        began_s = time.monotonic()
        campaign = Campaign(place, arguments.seed)
        campaign.run(arguments.faults, say)
        campaign.finish()
        account = account_for(campaign)
        page = write_report(campaign, account, integrity(campaign), (time.monotonic() - began_s) / 60)
    say(page)
    if arguments.write:
        (REPOSITORY / "docs").mkdir(exist_ok=True)
        (REPOSITORY / "docs" / "reliability.md").write_text(page)
    sys.exit(bool(account.lost or account.ended_twice or account.wrong_state))


if __name__ == "__main__":
    main()
