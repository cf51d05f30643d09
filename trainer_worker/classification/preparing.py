"""Builds and compiles a task's classifier in a thread of its own, while its pictures go through the backbone.

Keras and TensorFlow build a network in Python, on one core, and for a small task that takes as long as its features.
The threads that compute features need Python only between two pictures.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf

from trainer_worker.backbones.backbone import Backbone
from trainer_worker.classification.classifier import Classifier, build_classifier

#: How long a thread may keep Python's lock while another one waits for it. With Python's 5 ms, the threads that compute
#: features would wait longer for it than they compute.
SWITCH_INTERVAL_S = 0.0005


@contextlib.contextmanager
def prepared_classifier(backbone: Backbone, image_size: int, labels: int) -> Iterator[Callable[[int], Classifier]]:
    """In the block, a classifier for this many labels is being built. Yields a function that waits for it.

    The function takes the number of labels that turned out to be needed. If it is another one, the function builds that
    classifier. Leaving the block waits until the thread has ended. A new thread has Keras's names of layers for itself,
    so that the names are the same in every attempt.
    """
    interval_s = sys.getswitchinterval()
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as thread:
        preparing = thread.submit(_prepared, backbone, image_size, labels)

        def take(needed: int) -> Classifier:
            classifier = preparing.result()
            return classifier if needed == labels else build_classifier(backbone, image_size, needed)

        sys.setswitchinterval(SWITCH_INTERVAL_S)
        try:
            yield take
        finally:
            sys.setswitchinterval(interval_s)


def _prepared(backbone: Backbone, image_size: int, labels: int) -> Classifier:
    """A classifier whose first step and first predictions need no compiling."""
    classifier = build_classifier(backbone, image_size, labels)
    maps = tf.zeros((1, *classifier.tail.input_shape[1:]))
    classifier.run(maps, tf.zeros((1, classifier.early_features)))
    _ = classifier.trainee
    return classifier
