"""The range in which a task will end, from how far the plans of earlier ones were off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer_worker.training.pace import LEAST_TASKS, MOST_TASKS, UNKNOWN, Pace


def test_a_machine_without_history_gets_a_wide_range(tmp_path: Path) -> None:
    pace = Pace(tmp_path, "classification")
    assert pace.factors() == UNKNOWN
    for _ in range(LEAST_TASKS - 1):
        pace.add(20.0, 10.0)
    assert pace.factors() == UNKNOWN
    pace.add(20.0, 10.0)
    assert pace.factors() == (2.0, 2.0)
    assert Pace(tmp_path, "segmentation").factors() == UNKNOWN


def test_eight_of_ten_later_tasks_end_inside_the_range(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    inside = 0
    for trial in range(40):
        folder = tmp_path / str(trial)
        folder.mkdir()
        pace = Pace(folder, "classification")
        for took_s in 10.0 * random.lognormal(0.3, 0.4, 30):
            pace.add(float(took_s), 10.0)
        low, high = pace.factors()
        inside += int(((low <= (next_ones := random.lognormal(0.3, 0.4, 50))) & (next_ones <= high)).sum())
    assert 0.76 <= inside / (40 * 50) <= 0.9


def _held(folder: Path, ratios: np.ndarray) -> float:
    """The share of those tasks, one after the other, that ended in the range which was shown before."""
    pace, inside = Pace(folder, "classification"), []
    for number, ratio in enumerate(ratios.tolist()):
        low, high = pace.factors()
        if number >= LEAST_TASKS:
            inside.append(low <= ratio <= high)
        pace.add(10.0 * ratio, 10.0)
    return float(np.mean(inside))


def test_the_range_follows_a_machine_that_gets_busier_and_quieter(tmp_path: Path) -> None:
    """Tasks take 1.6 times as long, 40 of them, then 40 as before, ...; plain quantiles hold 7 of 10 here."""
    random = np.random.default_rng(1)
    load = np.exp(0.5 * ((np.arange(300) // 40) % 2))
    assert 0.75 <= _held(tmp_path, load * random.lognormal(0.0, 0.1, 300)) <= 0.9


def test_old_tasks_are_forgotten(tmp_path: Path) -> None:
    pace = Pace(tmp_path, "classification")
    for took_s in [50.0] * MOST_TASKS + [10.0] * MOST_TASKS:
        pace.add(took_s, 10.0)
    assert pace.factors() == (1.0, 1.0)


@pytest.mark.parametrize("content", ["", "[]", '{"classification": 3}', '{"classification": ["x"]}', "\0"])
def test_a_damaged_file_is_no_history(tmp_path: Path, content: str) -> None:
    (tmp_path / "pace.json").write_text(content)
    pace = Pace(tmp_path, "classification")
    assert pace.factors() == UNKNOWN
    pace.add(1.0, 1.0)


def test_a_missing_folder_is_no_error(tmp_path: Path) -> None:
    pace = Pace(tmp_path / "gone", "classification")
    pace.add(1.0, 1.0)
    assert pace.factors() == UNKNOWN
