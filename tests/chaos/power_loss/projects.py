"""Scenarios of a project folder: publishing models, and what a training keeps for the next one."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from conf.directory import Directory
from tests.chaos.power_loss.recording import mark
from tests.chaos.power_loss.scenario import Problem
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from trainer_worker.project.continuation import LastTraining, recall, remember
from trainer_worker.project.feature_cache import FeatureCache
from trainer_worker.project.latest import latest_task
from trainer_worker.project.manifest import ForeignManifestError, read_manifest
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.project.models import finished_and_intact, finished_model, open_listed
from trainer_worker.project.promotion import promote
from trainer_worker.project.retention import checkpoints_of

PROJECT = "project"
FIRST, SECOND = hex_id("first"), hex_id("second")


class Publishing:
    """An interim model, the model that replaces it, a second model, and the first one chosen again by a person."""

    name = "models"
    needs_synced_folders = True

    def prepare(self, folder: Path) -> None:
        (folder / PROJECT).mkdir()

    def act(self, folder: Path) -> None:
        with open_project(folder / PROJECT) as project:
            for task_id, interim in ((FIRST, True), (FIRST, False), (SECOND, False)):
                with ModelFolder(project, task_id, 1) as model:
                    model.add("model.tflite", io.BytesIO(bytes(range(256)) * 40))
                    model.add("saved_model/saved_model.pb", io.BytesIO(task_id.encode() * 300))
                    model.publish({"model_file": "model.tflite", "interim": interim, "train_type": "classification"})
                mark(f"{'interim' if interim else 'done'} {task_id}")
            chosen = finished_model(project, FIRST)
            assert chosen is not None
            assert not promote(project, FIRST, chosen.artifacts).error
            mark(f"chosen {FIRST}")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        told = [words.split() for words in marks]
        models_path = folder / PROJECT / "models"
        if not models_path.exists():
            yield from (Problem("lost", f"the model of {task_id} was {state}") for state, task_id in told)
            return
        with Directory.at(models_path) as models:
            for name in models.names():
                if not name.startswith(".") and name != "latest" and not _is_whole(models, name):
                    yield Problem("torn", f"the model {name} has a manifest, and files differ from it")
            latest = latest_task(models)
            if latest and not _is_whole(models, latest):
                yield Problem("torn", f"latest names the model {latest}, which is not complete")
            for state, task_id in told:
                if state == "interim" and not _is_whole(models, task_id):
                    yield Problem("lost", f"the interim model of {task_id} was published")
                if state == "done" and not _is_finished(models, task_id):
                    yield Problem("lost", f"the model of {task_id} is done")
            if told and told[-1][0] != "interim":
                # A later model may have come into use already, but none that came before.
                wanted = {"done": {told[-1][1], SECOND, FIRST if told[-1][1] == SECOND else ""}, "chosen": {FIRST}}
                if latest not in wanted[told[-1][0]]:
                    yield Problem("lost", f"latest names {latest or 'nothing'} after {' '.join(told[-1])}")


def _is_finished(models: Directory, task_id: str) -> bool:
    with contextlib.suppress(OSError), models.folder(task_id) as folder:
        return finished_and_intact(folder, task_id) is not None
    return False


def _is_whole(models: Directory, task_id: str) -> bool:
    """Whether all files of a model have the hashes of its manifest, also of an interim one. True without a manifest."""
    try:
        with models.folder(task_id) as folder:
            manifest = read_manifest(folder, task_id)
            for listed in manifest.files if manifest is not None else ():
                with open_listed(folder, listed) as file:
                    if hashlib.sha256(file.read()).hexdigest() != listed.sha256:
                        return False
            return manifest is not None
    except (OSError, ForeignManifestError):
        return False


class _Facts(msgspec.Struct, frozen=True):
    round: int


class KeptForLater:
    """Checkpoints, cached features and the last training, each written several times."""

    name = "checkpoints, features, last training"
    needs_synced_folders = True
    rounds = 4
    pictures = tuple(hashlib.sha256(bytes([number])).hexdigest() for number in range(4))
    classes = np.array([0, 1, 0, 1])

    def prepare(self, folder: Path) -> None:
        (folder / PROJECT).mkdir()

    def act(self, folder: Path) -> None:
        with open_project(folder / PROJECT) as project:
            for number in range(self.rounds):
                checkpoints_of(project, FIRST).save("fit", _Facts(number), [self.weights(number)])
                mark(f"checkpoint {number}")
                FeatureCache(project, "engine", [(2048,)]).save(self.pictures[number], "plain", [self.features(number)])
                by_picture = dict(zip(self.pictures, self.classes.tolist(), strict=True))
                last = LastTraining(FIRST, by_picture, frozenset(self.pictures[:2]), [self.weights(number)])
                remember(project, {"round": number}, last)
                mark(f"training {number}")

    def problems(self, folder: Path, marks: Sequence[str]) -> Iterator[Problem]:
        told = {words.split()[0]: int(words.split()[1]) for words in marks}
        with open_project(folder / PROJECT) as project:
            loaded = checkpoints_of(project, FIRST).load("fit", _Facts, [self.weights(0)])
            if loaded is not None and not np.array_equal(loaded[1][0], self.weights(loaded[0].round)):
                yield Problem("torn", f"the checkpoint {loaded[0].round} has other weights than were saved")
            if "checkpoint" in told and (loaded is None or loaded[0].round < told["checkpoint"]):
                yield Problem(
                    "lost", f"the checkpoint {told['checkpoint']} was saved, and {loaded and loaded[0]} is there"
                )
            cache = FeatureCache(project, "engine", [(2048,)])
            for number, picture in enumerate(self.pictures):
                features = cache.load(picture, "plain")
                if features is not None and not np.array_equal(features[0], self.features(number)):
                    yield Problem("torn", f"the features of picture {number} are others than were cached")
            found = None
            for number in range(self.rounds):
                last = recall(project, {"round": number}, self.pictures, self.classes, [self.weights(0)])
                if last is not None:
                    found = number
                    if not np.array_equal(last.weights[0], self.weights(number)):
                        yield Problem("torn", f"the last training {number} has other weights than were kept")
            if "training" in told and (found is None or found < told["training"]):
                yield Problem("lost", f"the training {told['training']} was kept, and {found} is there")

    def weights(self, number: int) -> np.ndarray:
        return np.full(3000, number, np.float32)

    def features(self, number: int) -> np.ndarray:
        return np.full(2048, number + 0.5, np.float32)
