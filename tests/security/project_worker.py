"""A worker's trainer process without TensorFlow: its real loop, and a trainer that only keeps what real ones keep."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path

import msgspec
import numpy as np

from conf.machine import running_system
from protocol import messages as m
from protocol import pipe_messages as piped
from protocol.task import TaskSpec
from tests.sample_tasks import hex_id, make_spec
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Epoch, Job, PlannedStage, TrainingResult
from trainer_worker.attempt.work_folder import work_folder
from trainer_worker.project.checkpoints import RandomState
from trainer_worker.project.continuation import LastTraining, recall, remember
from trainer_worker.project.feature_cache import FeatureCache
from trainer_worker.project.held_out import HeldOutScores
from trainer_worker.project.model_folder import ModelFolder
from trainer_worker.training.child import Child
from trainer_worker.training.settings import TrainerSettings

TERMS = {"options": {"seed": 1}, "labels": ["blue", "red"]}
SHAPES = ((2, 2, 3), (5,))
WEIGHTS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(3, np.float32)]


class Facts(msgspec.Struct, frozen=True):
    """As a trainer's checkpoint has them."""

    rows: list[int]
    epochs: list[dict[str, float]]
    random: RandomState


class ProjectWorker:
    """Trains in the folders below `root`; `during` is called in the midst of each training."""

    def __init__(self, root: Path, cache_dir: Path, keep_models: int = 0) -> None:
        self.root = root
        cache_dir.mkdir(exist_ok=True)
        self.cache_dir = cache_dir
        self._ours, self._pipe = Pipe()
        settings = TrainerSettings(
            cache_dir=cache_dir,
            weights_dir=cache_dir,
            backbone_dir=cache_dir,
            threads=1,
            keep_models=keep_models,
            allowed_roots=(root,),
        )
        self._child = Child(self._pipe, settings)
        self.during: Callable[[], None] = lambda: None
        self.trainings = 0
        #: Whether the models have all their held-out pictures right, or all wrong.
        self.is_good = True
        #: Of the last training: whether checkpoint, features and an earlier training were found.
        self.found: list[bool] = []

    def run(self, spec: TaskSpec, attempt: int = 1) -> m.Result:
        result = self._child._train(piped.Train(spec, attempt, 1), self._train)
        while self._ours.poll():  # progress that no agent reads would fill the pipe
            self._ours.recv_bytes()
        return result

    def read(self, job: Job) -> tuple[list[str], np.ndarray]:
        """Hashes of the pictures' contents, and 1 for each red one. No picture of these projects can be decoded."""
        files = sorted((job.project_dir / "images").rglob("*.png"))
        contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        return contents, np.array([path.parent.name == "red" for path in files], np.int64)

    def _train(self, attempt: Attempt) -> TrainingResult:
        self.trainings += 1
        job = attempt.job
        attempt.reporter.plan([PlannedStage("train", 1.0)])
        attempt.stages.enter("train")
        contents, classes = self.read(job)
        cache = FeatureCache(job.project, "engine", SHAPES)
        features = [cache.load(content, "plain") for content in contents]
        generator = np.random.default_rng(1)
        kept = job.checkpoints.load("fit", Facts, WEIGHTS)
        last = recall(job.project, TERMS, contents, classes, WEIGHTS)
        self.found = [kept is not None, all(features), last is not None]
        if kept is not None:
            kept[0].random.restore(generator)
        for content in contents:
            cache.save(content, "plain", [np.zeros(shape, np.float32) for shape in SHAPES])
        attempt.reporter.epoch(Epoch(1, 2, {"loss": 0.5}))
        self.during()
        job.checkpoints.save("fit", Facts([1, 2], [{"loss": 0.5}], RandomState.of(generator)), WEIGHTS)
        sides = job.gate.sides(contents, last)
        held_out = frozenset(contents[::3]) | {contents[row] for row in np.flatnonzero(sides == 1)}
        label_of = dict(zip(contents, classes.tolist(), strict=True))
        labels = [("blue", "red")[label_of[content]] for content in sorted(held_out)]
        scores = HeldOutScores.of("accuracy", sorted(held_out), labels, [float(self.is_good)] * len(labels))
        comparison = job.gate.compare(scores)
        with ModelFolder(job.project, job.task_id, job.attempt) as folder, work_folder(job.work_dir) as work:
            (work / "model.tflite").write_bytes(b"weights of " + job.task_id.encode())
            (work / "labels.txt").write_text("blue\nred\n")
            (work / "held_out.json").write_bytes(scores.encoded())
            folder.add_all(work)
            manifest = {
                **{"model_file": "model.tflite", "fingerprint": job.fingerprint, "metrics": {"accuracy": 0.9}},
                **{"train_type": job.train_type, "comparison": msgspec.to_builtins(comparison)},
                "promoted": comparison is None or comparison.promoted,
            }
            final = folder.publish(manifest)
        training = LastTraining(job.task_id, dict(zip(contents, classes.tolist(), strict=True)), held_out, WEIGHTS)
        remember(job.project, TERMS, training)
        return TrainingResult(
            final / "model.tflite", {"accuracy": 0.9}, comparison=comparison, artifacts=folder.artifacts
        )


def make_project(folder: Path) -> Path:
    for label in ("red", "blue"):
        (folder / "images" / label).mkdir(parents=True)
        for number in range(10):
            (folder / "images" / label / f"{number}.png").write_bytes(f"{label} {number}".encode())
    return folder


def spec_of(project: Path, name: str = "t1") -> TaskSpec:
    """As the front-end posts it."""
    status = project.stat()
    return make_spec(
        hex_id(name),
        project_path=str(project),
        seen_on=running_system(),
        seen_device=str(status.st_dev),
        seen_inode=str(status.st_ino),
    )
