"""What all tests share."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

#: Real services and trainings take seconds on a quiet machine, and minutes on one that has ten times as much to do.
#: For all other tests, a hang ends as pyproject.toml says.
TESTS = Path(__file__).parent
LONG_TESTS = tuple(TESTS / name for name in ("process", "security", "train"))
LONG_S = 900.0
#: Folders whose tests keep a core busy, and folders whose tests wait for other processes.
COMPUTING, WAITING = ("train",), ("process", "security", "browser", "socket")

# The machine is shared with other work, so the time that one example takes says nothing about the code. The same
# examples are tried in each run, so that a run that passes does so again; `make test-sim` looks for new ones.
settings.register_profile(
    "busy machine",
    deadline=None,
    derandomize="SIM_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("busy machine")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Garbage collections pass over TensorFlow's objects and the tests themselves, as in a trainer process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in LONG_TESTS) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_S))
    items[:] = in_order(items)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """The files whose tests compute and those whose tests wait, by turns; then those that take no time.

    The processes of pytest-xdist take one file after the other. So some of them compute while others wait, and at the
    end none is left with a long file.
    """
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)

    def within(*names: str) -> list[Path]:
        return [path for path in files if path.relative_to(TESTS).parts[0] in names]

    computing, waiting = within(*COMPUTING), within(*WAITING)
    turns = itertools.chain.from_iterable(itertools.zip_longest(computing, waiting))
    first = [path for path in turns if path is not None]
    last = [path for path in files if path not in {*computing, *waiting}]
    return [item for path in (*first, *last) for item in files[path]]
