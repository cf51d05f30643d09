"""What trainers know about a pretrained network: how to build it, where to cut it, what it costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: Strides of a backbone's endpoints: one cell for this many pixels of the input, along each side.
STRIDES = (2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Backbone:
    """A pretrained network, from raw pictures to its last feature map.

    Two backbones are equal if their names and weights are. Only features and models of equal backbones may be mixed.
    """

    #: The value of the option `backbone`.
    name: str
    #: Name and licence as people read them.
    network: str
    licence: str
    weights_sha256: str
    #: Builds the keras.Model for inputs with a side of S pixels, a multiple of 32: from float32 (n, S, S, 3), RGB 0 to
    #: 255, preprocessing inside, to float32 (n, h, w, features). The bundled ones give a map with a cell for each 32
    #: pixels; a network that gives one vector has a map of one cell. Batch normalizations are frozen, and nothing is
    #: random (docs/choices.md, "Batch normalization stays frozen"). Raises TrainingError or RuntimeError if the weights
    #: are missing or wrong, and Cancelled while it hashes weights of the operator's.
    build: Callable[[int], Any] = field(compare=False)
    #: The last layer of the trunk; fine-tuning trains the layers after it. They work on the smallest maps, have many of
    #: the weights and take a small part of the time. None: no layer of the network is trained, only the head.
    trunk_end: str | None
    #: The layers whose outputs are the skip connections of a U-Net, one for each of STRIDES; () if it has none.
    endpoints: tuple[str, ...]
    #: Time relative to lite0: for the features of a picture, for training the layers after trunk_end, and for writing
    #: the default exports (`python -m benchmarks.backbone_costs`).
    features_cost: float
    training_cost: float
    exports_cost: float
    #: Whether a segmenter may learn from features computed in bfloat16 (docs/choices.md, "Dice of features in
    #: bfloat16").
    features_in_bfloat16: bool = False
    #: Whether the operator brought it. Then a file format that can't be made of it is left out, and said in the result,
    #: while with a network of ours that would be a fault which fails the task.
    is_operators_own: bool = False
    #: The export formats that no model on it can have (names of protocol/options.py).
    impossible_formats: tuple[str, ...] = ()

    @property
    def early_layers(self) -> tuple[str, ...]:
        """The layers whose pooled outputs a classifier sees besides those of the last one: those of strides 8 and 16,
        and the end of the trunk. Fine-tuning does not change them (docs/choices.md, "Features of earlier layers").

        A network that names no trunk has none.
        """
        return (*self.endpoints[2:4], self.trunk_end) if self.trunk_end else ()


@dataclass(frozen=True)
class ChosenBackbone:
    """The backbone of one task, and a sentence that says why it was chosen."""

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
