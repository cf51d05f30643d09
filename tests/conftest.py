"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

#: Real services and trainings take seconds on a quiet machine, and minutes on one that has ten times as much to do.
#: For all other tests, a hang ends as pyproject.toml says.
LONG_TESTS = tuple(Path(__file__).parent / name for name in ("process", "security", "train"))
LONG_S = 900.0

# The machine is shared with other work, so the time that one example takes says nothing about the code. The same
# examples are tried in each run, so that a run that passes does so again; `make test-sim` looks for new ones.
settings.register_profile(
    "busy machine",
    deadline=None,
    derandomize="SIM_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("busy machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in LONG_TESTS) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_S))
