"""Which module trains which trainType. Imported by the agent too: names only, no TensorFlow."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trainer_worker.attempt.job import Job, Reporter, TrainingResult

#: trainType → module with `train(job, reporter, cache_dir, threads)` and `warm_up(cache_dir, threads)`.
TRAINER_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "classification": "trainer_worker.classification.train",
        "segmentation": "trainer_worker.segmentation.train",
    }
)

Train = Callable[[Job, Reporter, Path, int], TrainingResult]


def load_trainer(train_type: str, cache_dir: Path, threads: int) -> Train:
    """The `train` function of a trainType, warmed up; KeyError if there is none. Imports TensorFlow."""
    module: Any = importlib.import_module(TRAINER_MODULES[train_type])
    module.warm_up(cache_dir, threads)
    train: Train = module.train
    return train
