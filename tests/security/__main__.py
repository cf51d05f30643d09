"""`python -m tests.security [--inputs N] [--seed S]`: try every door, then press all of them with hostile input.

Prints a line a door, and for each fuzzer how many inputs it made and the counts that must be zero.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from tests.security.door_report import try_doors
from tests.security.fuzzers import FUZZERS


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.security", description=__doc__)
    parser.add_argument("--inputs", type=int, default=12_000, help="for all fuzzers together")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="to repeat a run; drawn otherwise")
    arguments = parser.parse_args()
    doors = try_doors()
    for line in doors.lines():
        say(line)
    say(f"\nseed {arguments.seed}")
    all_well = doors.all_shut
    for name, press, share in FUZZERS:
        began_s = time.monotonic()
        counts = press(round(arguments.inputs * share), arguments.seed)
        said = ", ".join(f"{what.replace('_', ' ')} {number:,}" for what, number in counts.items())
        say(f"{name:<16} {said} ({time.monotonic() - began_s:.0f} s)")
        all_well = all_well and not any(number for what, number in counts.items() if what != "inputs")
    sys.exit(0 if all_well else 1)


if __name__ == "__main__":
    main()
