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
from trainer_worker.child import release_memory
from trainer_worker.gradient_update import apply_gradients
from trainer_worker.job import Job, SilentReporter
from trainer_worker.trainers import classification, segmentation

THREADS = 2
#: The first tasks fill caches of TensorFlow's and ours.
UNCOUNTED_TASKS = 2
#: A leaked graph has thousands.
FEW_OBJECTS = 200


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    release_memory()


def objects_left_by(task: Callable[[int], Any]) -> int:
    """How many more objects live after one more call of `task`, once a few calls have been made."""
    for number in range(UNCOUNTED_TASKS):
        task(number)
    release_memory()
    before = len(gc.get_objects())
    task(UNCOUNTED_TASKS)
    release_memory()
    return len(gc.get_objects()) - before


def classify(folder: Path) -> Callable[[int], Any]:
    make_digits_project(folder, 120)  # enough for the backbone's blocks to be trained
    options = ClassificationOptions(image_size=64, epochs=1, exports=("tflite",))
    return lambda number: classification.train(
        job(folder, "classification", number, options), SilentReporter(), folder, THREADS
    )


def segment(folder: Path) -> Callable[[int], Any]:
    make_segmentation_project(folder, images=12, seed=1)
    options = SegmentationOptions(image_size=64, epochs=1, exports=("tflite",))
    return lambda number: segmentation.train(
        job(folder, "segmentation", number, options), SilentReporter(), folder, THREADS
    )


def job(folder: Path, train_type: str, number: int, options: TrainingOptions) -> Job:
    return Job(f"task{number}", 1, folder, train_type, options)


@pytest.mark.slow
@pytest.mark.parametrize("trainer", [classify, segment])
def test_a_training_leaves_no_objects_behind(trainer: Callable[[Path], Callable[[int], Any]], tmp_path: Path) -> None:
    assert objects_left_by(trainer(tmp_path)) < FEW_OBJECTS


@pytest.mark.parametrize(("update", "leaks"), [(apply_gradients, False), (keras.optimizers.Adam.apply, True)])
def test_kerass_own_update_leaks_the_graph_and_ours_does_not(update: Callable[..., None], leaks: bool) -> None:
    """The second is the control: should Keras mend it, `apply_gradients` has had its day."""

    def train_a_layer(_: int) -> None:
        variable = keras.Variable(np.zeros(3, np.float32))
        optimizer = keras.optimizers.Adam()
        optimizer.build([variable])

        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def step() -> None:
            update(optimizer, [tf.ones(3)], [variable])

        step()
        assert variable.numpy().max() < 0.0, "the step did not go down the gradient"

    assert (objects_left_by(train_a_layer) > FEW_OBJECTS) == leaks
