"""A classifier's network: the backbone with a head on its last layer and an early head on earlier ones.

The early head sees textures and shapes that the last layer has turned into ImageNet's objects. Its logits are added to
those of the head, and it costs the exported model nothing (Head2Toe, Evci et al. 2022,
https://arxiv.org/abs/2201.03529, uses features of earlier layers as well).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer_worker.backbones.backbone import Backbone
from trainer_worker.classification.dataset import FeatureView
from trainer_worker.classification.features import cut_at_trunk, pooled_early
from trainer_worker.classification.trainee import Trainee, kept_trainee

EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Classifier:
    """The whole network and its parts. They share their layers, so training the parts trains the model.

    model: float32 (n, S, S, 3), RGB 0..255, to probabilities (n, labels); their logits are the sum of both heads'.
    tail: trunk maps to the logits of the head; it is pool (trunk maps to the features of the last layer) followed by
    head. early_head: features of earlier layers to logits; None for a backbone that names no such layers. run: trunk
    maps and features of earlier layers to probabilities, compiled.
    """

    backbone: Backbone
    model: keras.Model
    tail: keras.Model
    pool: keras.Model
    head: Any
    early_head: Any | None
    run: Any

    @property
    def labels(self) -> int:
        """The number of classes."""
        count: int = self.head.units
        return count

    @property
    def last_features(self) -> int:
        """How many of a picture's pooled features are those of the last layer. The others are of earlier layers."""
        count: int = self.pool.output_shape[-1]
        return count

    @property
    def early_features(self) -> int:
        """How many of a picture's pooled features are those of earlier layers."""
        count: int = self.early_head.kernel.shape[0] if self.early_head else 0
        return count

    @property
    def logits(self) -> list[Any]:
        """The layers whose outputs add up to the logits."""
        return [self.head] if self.early_head is None else [self.head, self.early_head]

    def get_weights(self) -> list[np.ndarray]:
        """All weights that a training changes."""
        return [*self.tail.get_weights(), *(self.early_head.get_weights() if self.early_head else ())]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Set all weights that a training changes. weights: as from get_weights."""
        count = len(self.tail.weights)
        self.tail.set_weights(weights[:count])
        if self.early_head:
            self.early_head.set_weights(weights[count:])

    @property
    def is_head_alone(self) -> bool:
        """Whether no layer of the backbone is trained. The head's regression is then all there is to train."""
        return len(self.tail.weights) == len(self.head.weights)

    @property
    def trainee(self) -> Trainee:
        """What fine-tuning trains in the place of the tail. Trainings of this and other classifiers use it in turn."""
        return kept_trainee(self.backbone, self.model.input_shape[1])


def build_classifier(backbone: Backbone, image_size: int, labels: int) -> Classifier:
    network = backbone.build(image_size)
    maps, pooled = cut_at_trunk(network, backbone)
    head = keras.layers.Dense(labels, kernel_initializer="zeros", name="logits")
    logits, early = head(pooled), pooled_early(network, backbone)
    early_head, summed = None, logits
    if early is not None:
        early_head = keras.layers.Dense(labels, kernel_initializer="zeros", name="early_logits")
        summed = keras.layers.Add(name="summed_logits")([logits, early_head(early)])
    model = keras.Model(network.input, keras.layers.Softmax(name="probabilities")(summed), name="classifier")
    tail = keras.Model(maps, logits, name="tail")

    def run(maps: Any, early: Any) -> Any:
        outputs = tail(maps, training=False)
        return tf.nn.softmax(outputs if early_head is None else outputs + early_head(early))

    shapes = (maps.shape[1:], (0,) if early is None else early.shape[1:])
    signature = [tf.TensorSpec((None, *shape), tf.float32) for shape in shapes]
    compiled = tf.function(run, input_signature=signature, autograph=False)
    return Classifier(backbone, model, tail, keras.Model(maps, pooled), head, early_head, compiled)


def predict(classifier: Classifier, view: FeatureView) -> np.ndarray:
    """Probabilities float32 (n, labels) of the n pictures of a view."""
    early = view.pooled[:, classifier.last_features :]
    parts = [
        classifier.run(tf.constant(view.maps[some]), tf.constant(early[some])).numpy()
        for some in (slice(start, start + EVALUATION_BATCH) for start in range(0, len(early), EVALUATION_BATCH))
    ]
    return np.concatenate(parts) if parts else np.zeros((0, classifier.labels), np.float32)
