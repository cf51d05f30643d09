"""A person makes an earlier model the one in use: the links in the folder, and what later trainings make of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from conf.directory import Directory
from protocol.artifact import Artifact
from protocol.promotion import Promotion, PromotionOrder
from tests.project_folders import open_project
from tests.sample_tasks import hex_id, make_spec
from tests.unit.test_gate import NEW, OLD, THIRD, latest, publish, scores
from trainer_worker.project.models import finished_models, manifest_of
from trainer_worker.project.promotion import promote
from trainer_worker.project.retention import discard_task, tidy_project
from trainer_worker.promoting.__main__ import carry_out


def artifacts_of(project: Path, task_id: str) -> tuple[Artifact, ...]:
    with open_project(project) as opened:
        manifest = manifest_of(opened, task_id)
        assert manifest is not None
        return manifest.artifacts


def chosen(project: Path, task_id: str) -> Promotion:
    artifacts = artifacts_of(project, task_id)
    with open_project(project) as opened:
        return promote(opened, task_id, artifacts)


def two_models(project: Path) -> None:
    publish(project, OLD, scores(range(30, 60), range(60)))
    publish(project, NEW, scores(range(60), range(60)))
    assert latest(project) == NEW


def age(path: Path, seconds: float) -> None:
    """Make a file or link older."""
    at_s = path.lstat().st_mtime - seconds
    os.utime(path, (at_s, at_s), follow_symlinks=False)


def test_the_next_training_is_compared_with_the_chosen_model(tmp_path: Path) -> None:
    two_models(tmp_path)
    assert chosen(tmp_path, OLD) == Promotion()
    assert latest(tmp_path) == OLD
    assert chosen(tmp_path, OLD) == Promotion(), "twice is the same as once"

    found = publish(tmp_path, THIRD, scores(range(20, 60), range(60)))
    assert found is not None
    assert (found.with_task, found.now_only_right, found.promoted) == (OLD, 10, True)
    assert latest(tmp_path) == THIRD


def test_a_model_that_the_gate_held_back_can_be_chosen(tmp_path: Path) -> None:
    publish(tmp_path, OLD, scores(range(60), range(60)))
    publish(tmp_path, NEW, scores(range(30), range(60)))
    assert latest(tmp_path) == OLD
    assert chosen(tmp_path, NEW) == Promotion()
    assert latest(tmp_path) == NEW
    found = publish(tmp_path, THIRD, scores(range(40), range(60)))
    assert found is not None
    assert (found.with_task, found.promoted) == (NEW, True)


def test_the_choice_outlives_a_training_of_another_kind_and_ends_with_one_of_its_own(tmp_path: Path) -> None:
    two_models(tmp_path)
    for path in ((tmp_path / "models" / OLD / "manifest.json"), (tmp_path / "models" / NEW / "manifest.json")):
        age(path, 100.0)
    chosen(tmp_path, OLD)
    masks = hex_id("masks")
    publish(tmp_path, masks, None, train_type="segmentation")
    assert latest(tmp_path) == masks
    found = publish(tmp_path, THIRD, scores(range(60), range(60)))
    assert found is not None
    assert found.with_task == OLD

    age(tmp_path / "models" / ".chosen-classification", 50.0)
    publish(tmp_path, hex_id("more masks"), None, train_type="segmentation")
    again = publish(tmp_path, hex_id("fourth"), scores(range(60), range(60)))
    assert again is not None
    assert again.with_task == THIRD, "it came into use after the choice"


def test_a_chosen_model_is_kept_and_is_what_latest_falls_back_to(tmp_path: Path) -> None:
    two_models(tmp_path)
    age(tmp_path / "models" / OLD / "manifest.json", 100.0)
    age(tmp_path / "models" / NEW / "manifest.json", 50.0)
    chosen(tmp_path, OLD)
    masks = hex_id("masks")
    publish(tmp_path, masks, None, train_type="segmentation")
    with open_project(tmp_path) as opened:
        tidy_project(opened, keep_models=1)
        with opened.models() as models:
            assert {model.task_id for model in finished_models(models)} == {OLD, masks}
    discard_task(make_spec(masks, project_path=str(tmp_path.resolve())), [tmp_path.parent.resolve()])
    assert latest(tmp_path) == OLD


def test_a_model_that_changed_is_refused_and_nothing_is_switched(tmp_path: Path) -> None:
    two_models(tmp_path)
    known = artifacts_of(tmp_path, OLD)
    foreign = (msgspec.structs.replace(known[0], sha256="0" * 64),)
    (tmp_path / "models" / THIRD).mkdir()
    with open_project(tmp_path) as opened:
        results = [promote(opened, OLD, foreign), promote(opened, THIRD, ()), promote(opened, hex_id("none"), ())]
        (tmp_path / "models" / OLD / "model.tflite").write_bytes(b"WEIGHTS")
        results.append(promote(opened, OLD, known))
        shutil.rmtree(tmp_path / "models" / OLD)
        results.append(promote(opened, OLD, known))
    assert {result.code for result in results} == {"model_changed"}
    assert all(result.error.endswith("from a backup, or train again.") for result in results)
    assert latest(tmp_path) == NEW
    assert not (tmp_path / "models" / ".chosen-classification").is_symlink()


def test_an_interim_model_is_refused(tmp_path: Path) -> None:
    publish(tmp_path, OLD, None, interim=True)
    assert chosen(tmp_path, OLD).code == "model_changed"


def test_old_models_are_not_removed_while_one_is_chosen(tmp_path: Path) -> None:
    two_models(tmp_path)
    with open_project(tmp_path) as opened:
        with Directory.at(tmp_path / "models") as other, other.locked() as is_locked:
            assert is_locked
            tidy_project(opened, keep_models=1)
            busy = promote(opened, OLD, artifacts_of(tmp_path, OLD))
        assert (tmp_path / "models" / OLD).is_dir()
        assert (busy.code, latest(tmp_path)) == ("promote_failed", NEW)
        tidy_project(opened, keep_models=1)
    assert not (tmp_path / "models" / OLD).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    two_models(tmp_path)
    (tmp_path / "models").chmod(0o555)
    try:
        result = chosen(tmp_path, OLD)
    finally:
        (tmp_path / "models").chmod(0o755)
    assert (result.code, latest(tmp_path)) == ("promote_failed", NEW)
    assert "may not write" in result.error


def test_a_folder_that_is_not_the_one_posted_is_refused(tmp_path: Path) -> None:
    project = (tmp_path / "flowers").resolve()
    project.mkdir()
    two_models(project)
    seen = make_spec(OLD, project_path=str(project), seen_inode=str(project.stat().st_ino))
    artifacts, roots = artifacts_of(project, OLD), (str(tmp_path.resolve()),)
    assert carry_out(PromotionOrder(seen, artifacts, roots)) == Promotion()
    shutil.move(project, tmp_path / "moved")
    gone = carry_out(PromotionOrder(seen, artifacts, roots))
    (project / "models").mkdir(parents=True)
    replaced = carry_out(PromotionOrder(seen, artifacts, roots))
    outside = carry_out(PromotionOrder(seen, artifacts, ("/nowhere",)))
    assert {each.code for each in (gone, replaced, outside)} == {"model_changed"}
    assert latest(tmp_path / "moved") == OLD
    assert not (project / "models" / "latest").is_symlink()
