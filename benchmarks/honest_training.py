"""One real training for `benchmarks.honesty`, and what its exported file says of pictures that it never saw."""

from __future__ import annotations

import dataclasses
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from protocol.options import TrainingOptions
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.classification import train as classification
from trainer_worker.exporting.scoring import load_predictor
from trainer_worker.pictures.images import PictureReader, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.project.folder import ProjectFolder

#: Decoded pictures that are in memory at the same time.
CHUNK = 256


@dataclasses.dataclass(frozen=True)
class Trainer:
    """Trains folders with the product's own trainer, in this process."""

    options: TrainingOptions
    threads: int
    cache_dir: Path

    def train(self, project: Path) -> Trained:
        job_id = uuid.uuid4().hex
        with ProjectFolder.open(project) as folder:
            job = Job(job_id, 1, folder, "classification", self.options)
            result = classification.train(Attempt(job, SilentReporter(), self.cache_dir, self.threads))
        metrics = json.loads((result.model_path.parent / "metrics.json").read_text(encoding="utf-8"))
        return Trained(result.model_path, metrics, result.stage_seconds, self)

    def with_options(self, **changes: Any) -> Trainer:
        """The same trainer with other values of these options."""
        return dataclasses.replace(self, options=msgspec.structs.replace(self.options, **changes))


@dataclasses.dataclass(frozen=True)
class Trained:
    """model_path: the exported file. metrics: the content of its metrics.json."""

    model_path: Path
    metrics: dict[str, Any]
    stage_seconds: dict[str, float]
    trainer: Trainer

    def probabilities(self, pictures: Sequence[Path]) -> npt.NDArray[np.float64]:
        """What the exported file answers, float (n, labels). n >= 1; an app should read pictures in the same way."""
        predict = load_predictor(self.model_path, self.trainer.threads)
        side = self.trainer.options.image_size
        reader = PictureReader(UserFiles.at(Path("/")))
        parts = []
        for start in range(0, len(pictures), CHUNK):
            chunk = [read_rgb(reader, path, (side, side)) for path in pictures[start : start + CHUNK]]
            parts.append(predict(np.stack(chunk)).astype(float))
        return np.concatenate(parts)
