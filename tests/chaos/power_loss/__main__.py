"""`python -m tests.chaos.power_loss [--cuts N] [--drawn N] [--only NAME] [--write]`: cut the power at many moments.

Each scenario is recorded once. Then the disk is rebuilt as a power cut may have left it after N of its changes, and
looked at. Two controls show that a missing sync would be found. The exit code is 1 if anything was lost or torn, or if
a control has found nothing.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from pathlib import Path

from tests.chaos.document import table, write_part
from tests.chaos.power_loss.recording import CAN_RECORD, WHY_NOT
from tests.chaos.power_loss.scenarios import MOST_CUTS, SCENARIOS
from tests.chaos.power_loss.trial import Account, Trial, no_file_is_synced, no_folder_is_synced

HEADINGS = ("what is kept", "changes", "cut points", "states", "lost", "torn", "no file synced", "no folder synced")

WORDS = """## Power cuts

A killed process tests no sync, because what it has written lives on in the system. So a preloaded library records every
write, sync and change of a name that the programs make (`tests/chaos/power_loss/recorder.c`), and the disk is rebuilt
as a power cut may have left it: what was synced is there, and of everything else nothing, all, or any part, in blocks
of 512 or 4096 bytes, names without content and content without names. A name is on the disk only when its folder was
synced. The method is that of ALICE (Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI 2018).
`python -m tests.chaos.power_loss --write` writes this table.

- **Changes** were recorded, the power was cut after **cut points** of them, and **states** of the disk were looked at.
- **Lost** is what a caller had been told, and is not there. **Torn** is what is half there, or what the service can't
  go on from.
- The last two columns are controls on a disk that only pretends to sync files, or folders. They count what was lost or
  torn there, after fewer cut points. Webhooks lose nothing without synced folders, because what is missing is handed
  over again. The server of PostgreSQL makes all its folders before the recording begins.

"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.power_loss")
    parser.add_argument("--cuts", type=int, default=400, help="after how many changes of a scenario the power is cut")
    parser.add_argument("--drawn", type=int, default=6, help="how many random states are looked at for each cut")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="one scenario")
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    arguments = parser.parse_args()
    if not CAN_RECORD:
        sys.exit(f"Nothing was tried: {WHY_NOT}.")
    logging.disable()
    rows, is_well = [], True
    for scenario in SCENARIOS:
        if arguments.only not in ("", scenario.name):
            continue
        with tempfile.TemporaryDirectory() as folder:
            trial = Trial(scenario, Path(folder))
        cuts = min(arguments.cuts, MOST_CUTS.get(scenario.name, arguments.cuts))
        account = trial.cut(cuts, arguments.drawn, arguments.seed)
        few = 2 if scenario.name in MOST_CUTS else min(cuts, 50)
        controls = [
            trial.cut(few, arguments.drawn, arguments.seed, ignores)
            for ignores in (no_file_is_synced, no_folder_is_synced)
        ]
        found = [control.lost + control.torn for control in controls]
        is_well &= not (account.lost or account.torn) and all(found[: 2 if scenario.needs_synced_folders else 1])
        rows.append((scenario.name, len(trial.changes), *_figures(account), *found))
        _say(scenario.name, account, found)
        if arguments.write:
            write_part("power cuts", WORDS + table(HEADINGS, rows))
    sys.exit(not is_well)


def _figures(account: Account) -> tuple[object, ...]:
    return account.cuts, account.states, f"**{account.lost}**", f"**{account.torn}**"


def _say(name: str, account: Account, found: list[int]) -> None:
    print(
        f"{name:36} {account.cuts:5} cut points {account.states:6} states  lost {account.lost} torn {account.torn}  "
        f"controls {found}",
        flush=True,
    )
    for words in account.shown:
        print(f"    {words}", flush=True)


if __name__ == "__main__":
    main()
