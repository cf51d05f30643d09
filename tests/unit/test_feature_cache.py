"""Features on disk: whole and right, or not there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.project_folders import open_project
from trainer_worker.project.feature_cache import FeatureCache, trim_features

SHAPES = ((2, 2, 3), (5,))


def arrays(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape).astype(np.float32) for shape in SHAPES]


def file_of(project: Path) -> Path:
    (path,) = project.glob(".tfmodel/features/*/*")
    return path


def test_what_was_saved_is_loaded_by_content_view_and_engine(tmp_path: Path) -> None:
    FeatureCache(open_project(tmp_path), "engine", SHAPES).save("c1", "plain", arrays(1))
    cache = FeatureCache(open_project(tmp_path), "engine", SHAPES)
    loaded = cache.load("c1", "plain")
    assert loaded is not None
    for got, expected in zip(loaded, arrays(1), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert cache.load("c1", "mirrored") is None
    assert cache.load("c2", "plain") is None
    assert FeatureCache(open_project(tmp_path), "other", SHAPES).load("c1", "plain") is None


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-9], lambda b: b[:9] + b"\0" + b[10:], lambda b: b * 2])
def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path: Path, damage: object) -> None:
    cache = FeatureCache(open_project(tmp_path), "engine", SHAPES)
    cache.save("c1", "plain", arrays(1))
    assert callable(damage)
    file_of(tmp_path).write_bytes(damage(file_of(tmp_path).read_bytes()))
    assert cache.load("c1", "plain") is None
    cache.save("c1", "plain", arrays(2))
    assert cache.load("c1", "plain") is not None


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_values_that_no_network_gives_count_as_none(tmp_path: Path, value: float) -> None:
    cache, values = FeatureCache(open_project(tmp_path), "engine", SHAPES), arrays(1)
    values[1][2] = value
    cache.save("c1", "plain", values)
    assert cache.load("c1", "plain") is None


def test_a_folder_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".tfmodel").write_text("a file where a folder should be")
    cache = FeatureCache(open_project(tmp_path), "engine", SHAPES)
    cache.save("c1", "plain", arrays(1))
    assert cache.load("c1", "plain") is None
    trim_features(open_project(tmp_path))


def test_beyond_the_limit_those_go_that_were_not_used_for_longest(tmp_path: Path) -> None:
    cache = FeatureCache(open_project(tmp_path), "engine", SHAPES)
    for number in range(4):
        cache.save(f"c{number}", "plain", arrays(number))
        os.utime(tmp_path / ".tfmodel/features/engine" / f"c{number}.plain", (number, number))
    size = file_of_size(tmp_path)
    assert cache.load("c0", "plain") is not None, "which makes it the newest"
    trim_features(open_project(tmp_path), 2 * size)
    assert [cache.load(f"c{number}", "plain") is not None for number in range(4)] == [True, False, False, True]


def file_of_size(project: Path) -> int:
    return next(project.glob(".tfmodel/features/*/*")).stat().st_size
