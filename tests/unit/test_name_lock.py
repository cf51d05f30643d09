"""The lock on a worker's name, and the order of its starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conf.settings import ROOT
from trainer_worker.agent.name_lock import NameTakenError, take_name

TAKE = "import sys; from pathlib import Path; from trainer_worker.agent.name_lock import take_name; "
TAKE += "print(take_name(Path(sys.argv[1]), 'w1'))"


def take_in_a_process(folder: Path) -> str:
    """What a process gets that takes the name and ends."""
    done = subprocess.run([sys.executable, "-c", TAKE, folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_later_starts_compare_greater_also_when_the_clock_was_set_back(tmp_path: Path) -> None:
    first = take_in_a_process(tmp_path)
    (tmp_path / "worker-w1.lock").write_text("999999999999998")  # a start of the far future
    second, third = take_in_a_process(tmp_path), take_in_a_process(tmp_path)
    assert first < second
    assert second.startswith("999999999999999")
    assert third > first


def test_a_lock_that_holds_something_else_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "worker-w1.lock").write_text("what is this?")
    assert take_in_a_process(tmp_path) < take_in_a_process(tmp_path)


def test_a_name_is_held_until_its_process_ends(tmp_path: Path) -> None:
    take_name(tmp_path, "w1")
    with pytest.raises(NameTakenError):
        take_name(tmp_path, "w1")
    take_name(tmp_path, "w2")
