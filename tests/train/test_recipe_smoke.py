"""The benchmark of recipes runs from end to end, each recipe in a process of its own, on generated pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.slow
def test_all_recipes_score_the_same_images(tmp_path: Path) -> None:
    """The benchmark itself refuses to compare when they don't."""
    command = [sys.executable, "-m", "benchmarks.recipes", "--smoke", "--cache-dir", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = ended.stdout.split("mean ± deviation")[1].splitlines()[1:4]
    rows = {line.split()[0]: line.split()[1:] for line in table}
    for recipe in ("tfmodel", "guide", "regression"):
        accuracy, balanced, seconds, images_per_s, peak_mb = rows[recipe]
        assert 0.0 <= float(accuracy.rstrip("%")) <= 100.0
        assert 0.0 <= float(balanced.rstrip("%")) <= 100.0
        assert float(seconds) > 0.0
        assert float(images_per_s) > 0.0
        assert 200.0 < float(peak_mb) < 8000.0
    assert "tfmodel - guide: " in ended.stdout
    assert "tfmodel - regression: " in ended.stdout
