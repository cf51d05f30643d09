"""`python -m tests.chaos.flipped_bits [--flips N] [--only NAME] [--write]`: flip bits in all that is kept.

The exit code is 1 if a flipped bit was used in silence, or ended a process.
"""

from __future__ import annotations

import argparse
import logging
import sys

from tests.chaos.document import table, write_part
from tests.chaos.flipped_bits.flipping import flip_bits
from tests.chaos.flipped_bits.kinds import KINDS

HEADINGS = ("what is kept", "what finds a flipped bit", "flips", "found", "harmless", "silent", "broke")

WORDS = """## Flipped bits

Disks, cables and memory flip bits, rarely. In every kind of file that the service keeps and trusts, single bits are
flipped at random places, and the file is read as the service reads it. `python -m tests.chaos.flipped_bits --write`
writes this table.

- **Found**: nothing wrong was used, and the log or an answer says so.
- **Harmless**: everything was read as it was written, because the bit lies where nothing is.
- **Silent**: something else was used, or something was missing, and nothing said so. **Broke**: a process would have
  ended by an error that nothing expects.

"""

AFTER = """

Two things have no checksum of ours: the photos themselves, which are the user's, and the copy of a model that a website
has already taken. Nor have files that people write, such as the settings. A journal in PostgreSQL has the same
checksums in its rows. Its pages have their own if the server was set up by `initdb --data-checksums` or
`pg_checksums --enable`; `python server.py doctor` says if they are missing. The broker reads the whole journal after
each start and once a day, so that a flipped bit is found while there still is a backup without it.
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.flipped_bits")
    parser.add_argument("--flips", type=int, default=1000, help="how many bits of each kind are flipped")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="one kind")
    parser.add_argument("--write", action="store_true", help="write the table into docs/reliability.md")
    arguments = parser.parse_args()
    logging.getLogger().addHandler(logging.NullHandler())
    rows, is_well = [], True
    for kind in KINDS:
        if arguments.only not in ("", kind.name):
            continue
        account = flip_bits(kind, arguments.flips, arguments.seed)
        is_well &= not (account.silent or account.broke)
        figures = account.flips, account.found, account.harmless
        rows.append((kind.name, kind.found_by, *figures, f"**{account.silent}**", f"**{account.broke}**"))
        print(
            f"{kind.name:34} {account.flips:5} flips  found {account.found:5}  harmless {account.harmless:5}  "
            f"silent {account.silent}  broke {account.broke}",
            flush=True,
        )
        for words in account.shown:
            print(f"    {words}", flush=True)
    if arguments.write:
        write_part("flipped bits", WORDS + table(HEADINGS, rows) + AFTER)
    sys.exit(not is_well)


if __name__ == "__main__":
    main()
