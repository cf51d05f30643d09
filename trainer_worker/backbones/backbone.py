"""What trainers know of a pretrained network: how to build it, where to cut it, what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: Of a backbone's endpoints: input pixels a cell.
STRIDES = (2, 4, 8, 16, 32)
#: Of its trunk's end and of its last feature map.
TRUNK_STRIDE = 32


@dataclass(frozen=True)
class Backbone:
    """A network with ImageNet weights, from raw pictures to its last feature map.

    Two are equal when name and weights are: features and models of equal ones may be mixed, others never.
    """

    #: As the option `backbone` has it.
    name: str
    #: Name and licence for people.
    network: str
    licence: str
    weights_sha256: str
    #: keras.Model for a side S of the input in pixels, a multiple of 32: from float32 (n, S, S, 3), RGB 0 to 255 with
    #: the preprocessing inside, to float32 (n, S/32, S/32, features). Batch normalizations in it, if any, are frozen;
    #: nothing in it is random. Raises TrainingError or RuntimeError when the weights can't be had.
    build: Callable[[int], Any] = field(compare=False)
    features: int
    #: Layer where fine-tuning begins: what follows works on the smallest maps, holds much of the weights and takes a
    #: small part of the time. Output (n, S/32, S/32, trunk_channels).
    trunk_end: str
    trunk_channels: int
    #: Layers that hold the skip connection at each of STRIDES, for a U-Net.
    endpoints: tuple[str, ...]
    #: Seconds against lite0's: of the features of a picture, of training what follows trunk_end, of writing the default
    #: exports (`python -m benchmarks.backbone_costs`).
    features_cost: float
    training_cost: float
    exports_cost: float
    #: Whether a segmenter may learn from features worked out in bfloat16: where Dice was seen to stay the same.
    features_in_bfloat16: bool = False


@dataclass(frozen=True)
class ChosenBackbone:
    """The backbone of one task, and a sentence on why it is this one."""

    backbone: Backbone
    reason: str

    def facts(self) -> dict[str, str]:
        """For manifest.json and metrics.json."""
        return {
            "name": self.backbone.name,
            "network": self.backbone.network,
            "licence": self.backbone.licence,
            "weights_sha256": self.backbone.weights_sha256,
            "reason": self.reason,
        }
