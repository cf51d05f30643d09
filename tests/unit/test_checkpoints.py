"""A checkpoint is complete or absent, and never costs the training."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from protocol.errors import TrainingError
from tests.project_folders import checkpoints_in, open_project
from trainer_worker.project.checkpoints import Checkpoints, RandomState


class Facts(msgspec.Struct, frozen=True):
    epoch: int
    random: RandomState | None = None


def file_of(project: Path) -> Path:
    (path,) = project.glob(".tfmodel/tasks/*/checkpoints/*")
    return path


def test_facts_and_arrays_come_back_in_order(tmp_path: Path) -> None:
    arrays: list[np.ndarray] = [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(0), np.ones((), np.int64)]
    generator = np.random.default_rng(3)
    checkpoints_in(tmp_path).save("decoder", Facts(2, RandomState.of(generator)), arrays)
    loaded = checkpoints_in(tmp_path).load("decoder", Facts, [np.empty_like(array) for array in arrays])
    assert loaded is not None
    facts, got = loaded
    assert facts.epoch == 2
    assert [a.dtype for a in got] == [a.dtype for a in arrays]
    for one, given in zip(got, arrays, strict=True):
        np.testing.assert_array_equal(one, given)
    other = np.random.default_rng(4)
    assert facts.random is not None
    facts.random.restore(other)
    assert other.bit_generator.state == generator.bit_generator.state


def test_tasks_do_not_see_each_other_and_clear_forgets(tmp_path: Path) -> None:
    project = open_project(tmp_path)
    mine, other = Checkpoints(project, "tasks", "mine"), Checkpoints(project, "tasks", "other")
    mine.save("a", Facts(1), [])
    assert other.load("a", Facts, []) is None
    assert mine.load("a", Facts, []) is not None
    mine.clear()
    assert mine.load("a", Facts, []) is None


@pytest.mark.parametrize("keep_share", [0.0, 0.3, 0.9, 0.99])
def test_a_torn_file_is_the_same_as_none(tmp_path: Path, keep_share: float) -> None:
    checkpoints, arrays = checkpoints_in(tmp_path), [np.arange(1000.0)]
    checkpoints.save("a", Facts(1), arrays)
    content = file_of(tmp_path).read_bytes()
    file_of(tmp_path).write_bytes(content[: int(len(content) * keep_share)])
    assert checkpoints.load("a", Facts, arrays) is None


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 1)), np.zeros(2, np.float32), np.array([1.0, np.nan])])
def test_arrays_of_another_shape_or_type_or_without_numbers_are_the_same_as_none(
    tmp_path: Path, array: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = checkpoints_in(tmp_path)
    checkpoints.save("a", Facts(1), [array])
    assert checkpoints.load("a", Facts, [np.zeros(2)]) is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING], "one line in the log"


def test_a_failed_save_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = checkpoints_in(tmp_path)
    checkpoints.save("a", Facts(1), [])

    def disk_is_full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    checkpoints.save("a", Facts(2), [])
    monkeypatch.undo()
    assert checkpoints.load("a", Facts, []) == (Facts(1), [])
    assert [path.name for path in file_of(tmp_path).parent.iterdir()] == ["a.checkpoint"]


def test_a_project_folder_that_has_gone_ends_the_training_and_is_not_made_again(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path / "project")
    (tmp_path / "project").rmdir()
    with pytest.raises(TrainingError) as caught:
        checkpoints.save("a", Facts(1), [])
    assert caught.value.code == "project_dir_missing"
    assert list(tmp_path.iterdir()) == []
