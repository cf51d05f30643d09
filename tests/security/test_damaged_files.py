"""Whatever is done to our files in a project folder, its tasks end in a model and other folders stay as they are."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.security.mutations import mutate
from tests.security.project_worker import WEIGHTS, Facts, ProjectWorker, make_project, spec_of
from trainer_worker.project.checkpoints import RandomState
from trainer_worker.project.retention import checkpoints_of, discard_task

#: For a longer search: FUZZ_ROUNDS=1000.
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "25"))
#: Where models/ itself is no folder any more, the task says so.
WORDS_FOR_NO_MODELS = {"link_leaves_project", "project_dir_not_writable"}


def our_files(project: Path) -> list[Path]:
    return [path for name in ("models", ".tfmodel") for path in sorted((project / name).rglob("*")) if path.is_file()]


@pytest.mark.door(6)
@pytest.mark.parametrize("seed", range(8))
def test_a_task_ends_in_a_model_whatever_lies_in_its_folder(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    (tmp_path / "projects").mkdir()
    worker = ProjectWorker(tmp_path / "projects", tmp_path / "cache", keep_models=2)
    victims = worker.root / "bert"
    (victims / "deep").mkdir(parents=True)
    for name in ("secret.txt", "deep/manifest.json", "classification.checkpoint"):
        (victims / name).write_text("a file of another user")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_atime_ns) for path in sorted(victims.rglob("*"))}
    whole = make_project(worker.root / "whole")
    assert worker.run(spec_of(whole, "first")).trained is not None
    leave_a_checkpoint(whole)
    for round_number in range(ROUNDS):
        project = worker.root / f"round{round_number}"
        shutil.copytree(whole, project, symlinks=True)
        if chance.random() < 0.5:  # else the model of the same folder is taken over
            (project / "images" / "red" / "new.png").write_bytes(b"new")
        mutate(chance.choice(our_files(project)), victims, chance)
        worker.during = functools.partial(mutate_one, project, victims, chance)
        result = worker.run(spec_of(project))
        if result.trained is None:
            assert result.failure is not None
            assert result.failure.code in WORDS_FOR_NO_MODELS, result.failure
            assert not (project / "models").is_dir() or (project / "models").is_symlink()
        else:
            assert result.trained.model_path == str(project / "models" / hex_id("t1") / "model.tflite")
            assert Path(result.trained.model_path).read_bytes().startswith(b"weights of ")
        shutil.rmtree(project)
    after = {path: (path.stat().st_mtime_ns, path.stat().st_atime_ns) for path in sorted(victims.rglob("*"))}
    assert after == before, "files of another user were read or written"


def mutate_one(project: Path, victims: Path, chance: random.Random) -> None:
    """In the midst of a training, in one of three."""
    files = our_files(project)
    if files and chance.random() < 1 / 3:
        mutate(chance.choice(files), victims, chance)


@pytest.mark.door(1)
def test_swaps_at_any_moment_reach_no_other_folder(tmp_path: Path) -> None:
    """Somebody puts links in the place of our folders, and takes them away again, as fast as they can."""
    (tmp_path / "projects").mkdir()
    worker = ProjectWorker(tmp_path / "projects", tmp_path / "cache", keep_models=1)
    project, victims = make_project(worker.root / "x"), worker.root / "bert"
    old, task_id = hex_id("old"), hex_id("t1")
    for name in (old, task_id, f".{task_id}.1.partial", "engine", "tasks"):
        (victims / name).mkdir(parents=True)
        for file in ("manifest.json", "fit.checkpoint", "model.tflite"):
            (victims / name / file).write_text("a file of another user")
        os.utime(victims / name, (1, 1))
    before = {path: path.stat().st_mtime_ns for path in sorted(victims.rglob("*"))}
    places = (
        "models",
        f"models/{task_id}",
        f"models/.{task_id}.1.partial",
        ".tfmodel/tasks",
        ".tfmodel/features/engine",
    )
    ended, chance = threading.Event(), random.Random(1)

    def swap() -> None:
        while not ended.is_set():
            place = project / chance.choice((*places, ".tfmodel/last", ".tfmodel", f".tfmodel/tasks/{task_id}"))
            away = project / f"away{chance.randrange(10**9)}"
            with contextlib.suppress(OSError):
                place.rename(away)
                place.symlink_to(victims)
                place.unlink()
                away.rename(place)

    with ThreadPoolExecutor(1) as pool:
        swapping = pool.submit(swap)
        try:
            for attempt in range(1, 4 * ROUNDS):
                worker.run(spec_of(project, chance.choice(("t1", "old"))), attempt)
                discard_task(spec_of(project), [worker.root])
        finally:
            ended.set()
        swapping.result()
    assert {path: path.stat().st_mtime_ns for path in sorted(victims.rglob("*"))} == before


@pytest.mark.door(6)
def test_what_is_not_damaged_is_used(tmp_path: Path) -> None:
    """Else the test above would try nothing."""
    (tmp_path / "projects").mkdir()
    worker = ProjectWorker(tmp_path / "projects", tmp_path / "cache")
    project = make_project(worker.root / "whole")
    assert worker.run(spec_of(project, "first")).trained is not None
    assert worker.found == [False, False, False]
    leave_a_checkpoint(project)
    (project / "images" / "red" / "new.png").write_bytes(b"new")
    assert worker.run(spec_of(project)).trained is not None
    assert worker.found == [True, False, True], "of the new picture there are no features yet"
    assert worker.run(spec_of(project, "again")).trained is not None
    assert worker.trainings == 2


def leave_a_checkpoint(project: Path) -> None:
    """As an attempt that was lost leaves one for the next attempt at the task."""
    with open_project(project) as opened:
        facts = Facts([1, 2], [{"loss": 0.5}], RandomState.of(np.random.default_rng(2)))
        checkpoints_of(opened, hex_id("t1")).save("fit", facts, WEIGHTS)
