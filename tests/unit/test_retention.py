"""What leaves a project folder, and what must stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

from trainer_worker.checkpoints import checkpoints_of
from trainer_worker.retention import STALE_AFTER_S, discard_task, tidy_project


def publish(project: Path, task_id: str, age_s: float) -> Path:
    folder = project / "models" / task_id
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    os.utime(folder / "manifest.json", (time.time() - age_s,) * 2)
    latest = project / "models" / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(task_id)
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_cancelled_task_leaves_nothing_and_latest_falls_back(tmp_path: Path) -> None:
    publish(tmp_path, "old", 100)
    publish(tmp_path, "gone", 10)
    (tmp_path / "models" / ".gone.2.partial").mkdir()
    checkpoints_of(tmp_path, "gone").save("a", {}, [])
    discard_task(tmp_path, "gone")
    assert names(tmp_path / "models") == {"old", "latest"}
    assert (tmp_path / "models" / "latest").readlink() == Path("old")
    assert checkpoints_of(tmp_path, "gone").load("a") is None


def test_discarding_what_is_not_there_harms_nothing(tmp_path: Path) -> None:
    publish(tmp_path, "kept", 1)
    discard_task(tmp_path, "never")
    discard_task(tmp_path / "no-such-project", "never")
    assert names(tmp_path / "models") == {"kept", "latest"}


def test_only_the_newest_models_are_kept_when_asked(tmp_path: Path) -> None:
    for age_s, name in enumerate(["d", "c", "b", "a"]):
        publish(tmp_path, name, 100 - age_s)
    tidy_project(tmp_path, keep_models=0)
    assert {"a", "b", "c", "d"} <= names(tmp_path / "models")
    tidy_project(tmp_path, keep_models=2)
    assert names(tmp_path / "models") == {"a", "b", "latest"}


def test_stale_left_overs_go_and_fresh_ones_stay(tmp_path: Path) -> None:
    for name in (".x.1.partial", ".y.1.partial"):
        (tmp_path / "models" / name).mkdir(parents=True)
    long_ago_s = time.time() - STALE_AFTER_S - 60
    os.utime(tmp_path / "models" / ".x.1.partial", (long_ago_s, long_ago_s))
    tidy_project(tmp_path, keep_models=0)
    assert names(tmp_path / "models") == {".y.1.partial"}
