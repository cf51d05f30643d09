"""`python -m tests.chaos.standby [--faults N] [--seed S] [--write]`: break brokers, their database and its connections.

Two real brokers over a real PostgreSQL, each behind a proxy of its own, a real front-end, and real agents whose
trainers only wait. A website posts tasks with keys, repeats each until it is accepted, and often posts it once more.
In the end the journal, the website and a reader of the event stream are compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.document import write_part
from tests.chaos.standby.campaign import Campaign
from tests.chaos.standby.faults import FAULTS
from tests.chaos.standby.programs import StandbyPrograms
from tests.chaos.standby.report import report
from tests.postgres_server import PostgresServer

#: Other tests are more patient. Here a lease that ends too early or a call that is answered too late must show.
REAL_SETTINGS = {"BROKER_LEASE_TTL_S": 10, "WEB_REQUEST_TIMEOUT_S": 5}


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.standby", description=__doc__)
    parser.add_argument("--faults", type=int, default=100, help="how many faults to inject")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the order and the moments of the faults")
    parser.add_argument("--write", action="store_true", help="write the result into docs/reliability.md")
    arguments = parser.parse_args()
    began_s = time.monotonic()
    # fsync on, as in production: the server is ended as by a crash.
    database = PostgresServer(fsync="on", full_page_writes="on")
    with (
        tempfile.TemporaryDirectory() as folder,
        StandbyPrograms(Path(folder), database, **REAL_SETTINGS) as programs,
    ):
        with Campaign(programs, arguments.seed) as campaign:
            campaign.run([FAULTS[number % len(FAULTS)] for number in range(arguments.faults)], say)
            account = campaign.finish()
        text = report(campaign, account, (time.monotonic() - began_s) / 60)
    say(text)
    say("all is well" if account.well else f"NOT well: {account}")
    if arguments.write:
        write_part("standby", text)
    sys.exit(not account.well)


if __name__ == "__main__":
    main()
