"""The benchmark of honesty runs from end to end on generated pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_reported_scores_are_set_beside_the_truth(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.honesty", "--smoke", "--kinds", "duplicated,mislabelled"]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=480, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    trainings = [line for line in lines if line.startswith("digits, ") and ": reported " in line]
    assert [line.split(":")[0] for line in trainings] == ["digits, duplicated, draw 1", "digits, mislabelled, draw 1"]
    for wanted in ("Reported intervals beside the truth", "right answers kept", "Goals", "of 5 % planted wrong labels"):
        assert wanted in ended.stdout
    assert list(tmp_path.iterdir()) == []
