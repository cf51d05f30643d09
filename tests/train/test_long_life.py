"""A trainer process is as large after many tasks as after a few: no task leaves objects behind."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from demo.digits_data import make_digits_project
from demo.segmentation_data import make_segmentation_project
from protocol.options import ClassificationOptions, SegmentationOptions, TrainingOptions
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from trainer_worker.attempt.attempt import Attempt
from trainer_worker.attempt.job import Job, SilentReporter
from trainer_worker.classification import train as classification
from trainer_worker.optimization.adam import Adam
from trainer_worker.segmentation import train as segmentation
from trainer_worker.training.process_memory import release_memory

THREADS = 2
#: A leaked graph has thousands.
FEW_OBJECTS = 200


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    release_memory()


def objects_left_by(task: Callable[[int], Any]) -> int:
    """How many more objects live after the second call of `task`. The first one fills TensorFlow's caches and ours."""
    task(0)
    release_memory()
    before = len(gc.get_objects())
    task(1)
    release_memory()
    return len(gc.get_objects()) - before


def classify(folder: Path) -> Callable[[int], Any]:
    make_digits_project(folder, 120)  # enough for the backbone's blocks to be trained
    options = ClassificationOptions(image_size=64, epochs=1, exports=("tflite",))
    return lambda number: classification.train(attempt(folder, "classification", number, options))


def segment(folder: Path) -> Callable[[int], Any]:
    make_segmentation_project(folder, images=12, seed=1)
    options = SegmentationOptions(image_size=64, epochs=1, exports=("tflite",))
    return lambda number: segmentation.train(attempt(folder, "segmentation", number, options))


def attempt(folder: Path, train_type: str, number: int, options: TrainingOptions) -> Attempt:
    job = Job(hex_id(f"task{number}"), 1, open_project(folder), train_type, options)
    return Attempt(job, SilentReporter(), folder, THREADS)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", [classify, segment])
def test_a_training_leaves_no_objects_behind(trainer: Callable[[Path], Callable[[int], Any]], tmp_path: Path) -> None:
    assert objects_left_by(trainer(tmp_path)) < FEW_OBJECTS


@pytest.mark.parametrize(("ours", "leaks"), [(True, False), (False, True)])
def test_kerass_own_update_leaks_the_graph_and_ours_does_not(ours: bool, leaks: bool) -> None:
    """Keras's update is the control, and a reason for an optimizer of our own."""

    def train_a_layer(_: int) -> None:
        variable = keras.Variable(np.zeros(3, np.float32))
        apply = applied_by_adam(variable) if ours else applied_by_keras(variable)
        tf.function(lambda: apply([tf.ones(3)]), autograph=False)()
        assert variable.numpy().max() < 0.0, "the step did not go down the gradient"

    assert (objects_left_by(train_a_layer) > FEW_OBJECTS) == leaks


def applied_by_adam(variable: keras.Variable) -> Callable[[list[Any]], None]:
    optimizer = Adam([variable.value])
    optimizer.learning_rate.assign(1e-3)
    return optimizer.apply


def applied_by_keras(variable: keras.Variable) -> Callable[[list[Any]], None]:
    optimizer = keras.optimizers.Adam()
    optimizer.build([variable])
    return lambda gradients: optimizer.apply(gradients, [variable])
