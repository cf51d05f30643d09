"""A checkpoint is complete or absent, and never costs the training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer_worker.checkpoints import Checkpoints


def test_facts_and_arrays_come_back_in_order(tmp_path: Path) -> None:
    arrays: list[np.ndarray] = [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(0), np.ones((1,), np.int64)]
    state = np.random.default_rng(3).bit_generator.state
    Checkpoints(tmp_path / "t1").save("decoder", {"epoch": 2, "random": state}, arrays)
    loaded = Checkpoints(tmp_path / "t1").load("decoder")
    assert loaded is not None
    assert loaded.facts == {"epoch": 2, "random": state}
    assert [a.dtype for a in loaded.arrays] == [a.dtype for a in arrays]
    for got, given in zip(loaded.arrays, arrays, strict=True):
        np.testing.assert_array_equal(got, given)


def test_tasks_do_not_see_each_other_and_clear_forgets(tmp_path: Path) -> None:
    mine, other = Checkpoints(tmp_path / "mine"), Checkpoints(tmp_path / "other")
    mine.save("a", {"x": 1}, [])
    assert other.load("a") is None
    mine.clear()
    assert mine.load("a") is None


@pytest.mark.parametrize("keep_share", [0.0, 0.3, 0.9, 0.99])
def test_a_torn_file_is_the_same_as_none(tmp_path: Path, keep_share: float) -> None:
    checkpoints = Checkpoints(tmp_path / "t1")
    checkpoints.save("a", {"x": 1}, [np.arange(1000.0)])
    path = checkpoints.folder / "a.npz"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep_share)])
    assert checkpoints.load("a") is None


def test_a_failed_save_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoints = Checkpoints(tmp_path / "t1")
    checkpoints.save("a", {"epoch": 1}, [])

    def disk_is_full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", disk_is_full)
    checkpoints.save("a", {"epoch": 2}, [])
    monkeypatch.undo()
    loaded = checkpoints.load("a")
    assert loaded is not None
    assert loaded.facts == {"epoch": 1}
    assert [path.name for path in checkpoints.folder.iterdir()] == ["a.npz"]
