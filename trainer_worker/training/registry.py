"""Lists the trainTypes and the module that describes each of them.

The agent imports this file for the names alone. Nothing here loads TensorFlow before `load_trainers` is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from protocol.options import OPTIONS_BY_TRAIN_TYPE
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import TrainingResult

if TYPE_CHECKING:
    from trainer_worker.publishing.kind import Kind

#: trainType → module whose KIND describes it.
KIND_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "classification": "trainer_worker.classification.kind",
        "segmentation": "trainer_worker.segmentation.kind",
    }
)

Train = Callable[[Attempt], TrainingResult]
#: Takes an attempt of another worker and a place (see classification/helping.py).
HelpWith = Callable[[Attempt, int], None]


def train_types() -> tuple[str, ...]:
    """All trainTypes, sorted. Raises ValueError unless each has its options in protocol/options.py and the reverse."""
    if KIND_MODULES.keys() != OPTIONS_BY_TRAIN_TYPE.keys():
        kinds, options = sorted(KIND_MODULES), sorted(OPTIONS_BY_TRAIN_TYPE)
        raise ValueError(
            f"training/registry.py lists the trainTypes {kinds}, protocol/options.py has options for {options}. "
            "Add what is missing: each trainType needs both."
        )
    return tuple(sorted(KIND_MODULES))


def load_kinds() -> dict[str, Kind]:
    """The kind of every trainType. Raises TypeError where a part is missing, ValueError where one is misnamed."""
    return {name: load_kind(name) for name in train_types()}


def load_kind(name: str) -> Kind:
    """The kind of one trainType. Raises what load_kinds raises."""
    kind: Kind = importlib.import_module(KIND_MODULES[name]).KIND
    if kind.train_type != name:
        raise ValueError(f"{KIND_MODULES[name]} describes trainType={kind.train_type} instead of {name}.")
    return kind


def load_helper(name: str) -> HelpWith:
    """What helps the trainings of that trainType. ValueError if nothing does. Imports TensorFlow."""
    helper = load_kind(name).helper
    if not helper:
        raise ValueError(f"other workers can't help a training of trainType={name}")
    help_with: HelpWith = importlib.import_module(helper).help_with
    return help_with


def load_trainers(cache_dir: Path, threads: int) -> dict[str, Train]:
    """The `train` function of every trainType, warmed up. Imports TensorFlow."""
    trainers: dict[str, Train] = {}
    for name, kind in load_kinds().items():
        module: Any = importlib.import_module(kind.trainer)
        module.warm_up(cache_dir, threads)
        trainers[name] = module.train
    return trainers
