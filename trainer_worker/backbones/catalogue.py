"""Finds a backbone by its name, and chooses the backbone of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from protocol.errors import TrainingError
from protocol.options import OWN_PREFIX
from trainer_worker.attempt.job import Job
from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.backbone import STRIDES, Backbone, ChosenBackbone
from trainer_worker.backbones.choice import choose
from trainer_worker.backbones.efficientnet_lite import LITE0, LITE1, LITE2
from trainer_worker.backbones.keras_applications import load_application
from trainer_worker.backbones.own_folder import SETTINGS_FILE
from trainer_worker.backbones.own_network import load_own_network

AUTO = "auto"

#: The backbones whose weights pip has installed, from small to large; `auto` chooses from them.
BUNDLED: Mapping[str, Backbone] = MappingProxyType({backbone.name: backbone for backbone in (LITE0, LITE1, LITE2)})


def find_backbone(name: str, weights: LocalWeights | None = None) -> Backbone:
    """The backbone for a value of the option `backbone` other than "auto". weights: see Job.

    Raises TrainingError unsupported_option if it is a network of the operator's own with wrong settings.
    """
    if name in BUNDLED:
        return BUNDLED[name]
    if weights is None:
        raise ValueError(f"backbone {name!r} needs weights")
    if name.startswith(OWN_PREFIX):
        return load_own_network(weights)
    return load_application(name, weights)


def choose_backbone(job: Job, planned_s: Callable[[Backbone], float]) -> ChosenBackbone:
    """The backbone that the option names; for "auto", the largest that there is time for.

    planned_s: gives the planned seconds of the task with a backbone.
    """
    asked = job.options.backbone
    if asked != AUTO:
        return ChosenBackbone(find_backbone(asked, job.weights), f"The option says backbone={asked}.")
    name, reason = choose({name: planned_s(backbone) for name, backbone in BUNDLED.items()}, job.options.time_budget)
    return ChosenBackbone(BUNDLED[name], reason)


def refuse_without_endpoints(backbone: Backbone) -> None:
    """Raise TrainingError if a U-Net can't be built on the backbone."""
    if not backbone.endpoints:
        raise TrainingError(
            "unsupported_option",
            f"backbone={backbone.name} can't be used for trainType=segmentation, because the {SETTINGS_FILE} of this "
            f"network names no endpoints. A U-Net needs feature maps of {len(STRIDES)} sizes, and some networks, such "
            "as vision transformers, have one size only. Post another backbone, such as lite0.",
        )
