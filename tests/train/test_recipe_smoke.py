"""The benchmarks of recipes run from end to end, each recipe in a process of its own, on generated pictures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Each takes half a minute on a quiet machine.
LONGEST_S = 800.0
ROOT = Path(__file__).resolve().parent.parent.parent


def smoke(module: str, cache_dir: Path) -> tuple[str, dict[str, list[str]]]:
    """All that it prints, and its table: recipe -> cells."""
    command = [sys.executable, "-m", module, "--smoke", "--cache-dir", str(cache_dir)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = ended.stdout.split("mean ± deviation")[1].splitlines()[1:]
    return ended.stdout, {line.split()[0]: line.split()[1:] for line in table if " - " not in line}


def assert_plausible(cells: list[str]) -> None:
    splits, first_score, second_score, seconds, images_per_s, peak_mb, other_cores = cells
    assert splits == "1"
    assert 0.0 <= float(first_score.rstrip("%")) <= 100.0
    assert 0.0 <= float(second_score.rstrip("%")) <= 100.0
    assert float(seconds) > 0.0
    assert float(images_per_s) > 0.0
    assert 200.0 < float(peak_mb) < 8000.0
    assert float(other_cores) >= 0.0


@pytest.mark.slow
def test_all_classifiers_score_the_same_images(tmp_path: Path) -> None:
    """The benchmark itself refuses to compare when they don't."""
    said, rows = smoke("benchmarks.recipes", tmp_path)
    assert list(rows) == ["tfmodel", "guide", "regression"]
    for cells in rows.values():
        assert_plausible(cells)
    assert "tfmodel - guide: " in said
    assert "tfmodel - regression: " in said
    assert "tfmodel - the better (" in said


@pytest.mark.slow
def test_both_segmenters_score_the_same_pictures(tmp_path: Path) -> None:
    said, rows = smoke("benchmarks.segmentation_recipes", tmp_path)
    assert list(rows) == ["tfmodel", "unet_equal_time"]
    for cells in rows.values():
        assert_plausible(cells)
    assert "tfmodel - unet_equal_time: " in said
