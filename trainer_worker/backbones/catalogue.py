"""Finds a backbone by its name, and chooses the backbone of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from trainer_worker.attempt.job import Job
from trainer_worker.backbones.backbone import Backbone, ChosenBackbone
from trainer_worker.backbones.choice import choose
from trainer_worker.backbones.efficientnet_lite import LITE0, LITE1, LITE2
from trainer_worker.backbones.keras_applications import load_application

AUTO = "auto"

#: The backbones whose weights pip has installed, from small to large; `auto` chooses from them.
BUNDLED: Mapping[str, Backbone] = MappingProxyType({backbone.name: backbone for backbone in (LITE0, LITE1, LITE2)})


def find_backbone(name: str, weights_file: Path | None = None) -> Backbone:
    """The backbone for a value of the option `backbone` other than "auto". weights_file: see find_weights_file."""
    if name in BUNDLED:
        return BUNDLED[name]
    if weights_file is None:
        raise ValueError(f"backbone {name!r} needs a weights file")
    return load_application(name, weights_file)


def choose_backbone(job: Job, planned_s: Callable[[Backbone], float]) -> ChosenBackbone:
    """The backbone that the option names; for "auto", the largest that there is time for.

    planned_s: gives the planned seconds of the task with a backbone.
    """
    asked = job.options.backbone
    if asked != AUTO:
        return ChosenBackbone(find_backbone(asked, job.weights_file), f"The option says backbone={asked}.")
    name, reason = choose({name: planned_s(backbone) for name, backbone in BUNDLED.items()}, job.options.time_budget)
    return ChosenBackbone(BUNDLED[name], reason)
