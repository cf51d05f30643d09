"""Runs Keras files and SavedModels on TensorFlow, in a process without the code that trained them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

INPUT_NAME = "image"
OUTPUT_NAME = "output"


def load(path: Path, threads: int) -> Callable[[Any], Any]:
    """A function from float32 pictures (n, S, S, 3) to outputs (n, ...). A folder is a SavedModel.

    threads: set once for the whole process, by the first file. Raises what TensorFlow raises.
    """
    if not tf.config.threading.get_intra_op_parallelism_threads():
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    return _saved_model(path) if path.is_dir() else _keras_model(path)


def _keras_model(path: Path) -> Callable[[Any], Any]:
    model = keras.models.load_model(path, compile=False)

    def run(image: Any) -> Any:
        with tf.name_scope("model"):  # a layer's name may begin with "_", which TensorFlow refuses as the first scope
            return model(image, training=False)

    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    traced = tf.function(run, [spec], autograph=False)
    return lambda pictures: traced(tf.constant(pictures))


def _saved_model(path: Path) -> Callable[[Any], Any]:
    # TensorFlow reads the folder's path as a glob pattern and finds nothing below "photos [2024]". A link avoids that.
    with tempfile.TemporaryDirectory(prefix="tfmodel-") as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.resolve(), target_is_directory=True)
        loaded = tf.saved_model.load(str(link))
    signature = loaded.signatures["serving_default"]

    def run(pictures: Any, _keep_alive: Any = loaded) -> Any:
        return signature(**{INPUT_NAME: tf.constant(pictures)})[OUTPUT_NAME]

    return run


def release() -> None:
    """Drop what Keras keeps of earlier models."""
    tf.keras.backend.clear_session()
