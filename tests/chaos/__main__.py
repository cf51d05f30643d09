"""`python -m tests.chaos [--faults N] [--seed S] [--write]`: break the real service on purpose and account for it."""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.campaign import PROJECTS, Campaign, account_for, integrity
from tests.chaos.faults import DISK_FAULTS, FAULTS
from tests.chaos.report import write_report
from tests.process.service_under_test import REPOSITORY, ServiceUnderTest, service_copy
from tests.process.small_projects import make_digits_project

#: Room for the digits and some dozens of models; small enough to be filled in a moment.
PROJECTS_MB, JOURNAL_MB = 2048, 64


@contextlib.contextmanager
def small_file_system(folder: Path, size_mb: int) -> Iterator[None]:
    """A file system in memory at `folder`, when faults of the disk are among the faults."""
    if not set(DISK_FAULTS) & set(FAULTS):
        yield
        return
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


def say(line: str) -> None:
    print(line, flush=True)


@contextlib.contextmanager
def busy_service() -> Iterator[ServiceUnderTest]:
    settings = {"WEB_MIN_FREE_MB": "1", "WORKER_KEEP_MODELS": "0", "WORKER_TASKS_PER_PROCESS": "10"}
    with service_copy(**settings) as service, contextlib.ExitStack() as mounts:
        mounts.enter_context(small_file_system(service.projects, PROJECTS_MB))
        mounts.enter_context(small_file_system(service.root / "var", JOURNAL_MB + 128))
        for number in range(PROJECTS):
            make_digits_project(service.projects / f"p{number}")
        started = service.command("start")
        if started.returncode != 0:
            sys.exit(started.stdout + started.stderr)
        try:
            yield service
        finally:
            service.command("stop")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    arguments = parser.parse_args()
    with busy_service() as service:
        began_s = time.monotonic()
        campaign = Campaign(service, arguments.seed)
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
