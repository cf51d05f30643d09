"""`python -m tests.chaos.power_loss.act SCENARIO FOLDER`: what is recorded of a scenario."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.chaos.power_loss.scenarios import SCENARIOS


def main() -> None:
    name, folder = sys.argv[1:]
    next(scenario for scenario in SCENARIOS if scenario.name == name).act(Path(folder))


if __name__ == "__main__":
    main()
