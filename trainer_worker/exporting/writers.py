"""Writes a trained model as a file. Each row of formats.py names its function here.

The weights enter as constants while the model is traced, so the graph is frozen from the beginning. Why that is better
than the usual ways: docs/choices.md, "Our own export path".
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.lite.python.convert import convert_graphdef

INPUT_NAME = "image"
OUTPUT_NAME = "output"
ONNX_OPSET = 18

#: uint8 RGB (k, S, S, 3), read only when int8 is asked for.
ReadPictures = Callable[[], npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class ModelToExport:
    """A trained model, and training pictures from which the int8 converter learns the range of every tensor.

    model: as in Export. any_may_fail: whether each format may fail without costing the others, see Format.may_fail. So
    it is with networks that we have never tried (Backbone.is_operators_own).
    """

    model: keras.Model
    calibration: ReadPictures
    any_may_fail: bool = False


@dataclass(frozen=True)
class Export:
    """The input of the writers.

    model: one input float32 (n, S, S, 3), raw RGB 0 to 255, preprocessing inside; one output (n, ...).
    frozen: gives that model as a concrete function for a batch size, or for any if None; each is traced once.
    on_step: called with the finished fraction of this format; an exception from it ends the export.
    """

    model: keras.Model
    frozen: Callable[[int | None], Any]
    calibration: ReadPictures
    on_step: Callable[[float], None]


def trace_frozen(model: keras.Model, batch_size: int | None) -> Any:
    """The model in inference mode as a concrete function that holds its weights as constants."""
    trainable = [variable.numpy() for variable in model.trainable_variables]
    non_trainable = [variable.numpy() for variable in model.non_trainable_variables]

    def run(image: Any) -> dict[str, Any]:
        weights = [[tf.constant(value) for value in values] for values in (trainable, non_trainable)]
        with tf.name_scope("model"):  # a layer's name may begin with "_", which TensorFlow refuses as the first scope
            output, _ = model.stateless_call(*weights, image, training=False)
        return {OUTPUT_NAME: output}

    spec = tf.TensorSpec((batch_size, *model.input_shape[1:]), tf.float32, name=INPUT_NAME)
    frozen = tf.function(run, autograph=False).get_concrete_function(spec)
    if frozen.captured_inputs:
        names = ", ".join(str(getattr(value, "name", value.dtype)) for value in frozen.captured_inputs)
        raise ValueError(f"the model keeps state outside of its variables, which can't be exported: {names}")
    return frozen


def write_keras(export: Export, path: Path) -> None:
    export.model.save(path)


def write_saved_model(export: Export, path: Path) -> None:
    tf.saved_model.save(tf.Module(), str(path), signatures=export.frozen(None))


def write_tflite(export: Export, path: Path) -> None:
    path.write_bytes(_converted(export))


def write_float16(export: Export, path: Path) -> None:
    """Weights as float16, half the size; input, output and, on a CPU, the arithmetic stay float32."""
    path.write_bytes(_converted(export, post_training_quantize=True, quantize_to_float16=True))


def write_int8(export: Export, path: Path) -> None:
    """Weights and activations as int8, in integer arithmetic only; input and output stay float32."""

    def pictures() -> Any:
        calibration = export.calibration()
        for number, picture in enumerate(calibration):
            yield [picture[np.newaxis].astype(np.float32)]
            export.on_step((number + 1) / (len(calibration) + 1))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([export.frozen(1)])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = pictures
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
        content = converter.convert()
    path.write_bytes(content)


def _converted(export: Export, **flags: bool) -> bytes:
    """The model for one picture at a time. flags: of TensorFlow's build_conversion_flags.

    TFLiteConverter would freeze the graph once more and unpack the finished file, which takes twice as long as the
    conversion itself (docs/choices.md, "Our own export path").
    """
    frozen = export.frozen(None)
    (image,), (output,) = frozen.inputs, frozen.outputs
    shapes = [tf.TensorShape((1, *image.shape[1:]))]
    content: bytes = convert_graphdef(frozen.graph.as_graph_def(), [image], [output], input_shapes=shapes, **flags)
    return content


def write_onnx(export: Export, path: Path) -> None:
    import tf2onnx  # optional

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    frozen = export.frozen(None)
    (image,), (output,) = frozen.inputs, frozen.outputs
    model, _ = tf2onnx.convert.from_graph_def(
        frozen.graph.as_graph_def(),
        name="model",
        input_names=[image.name],
        output_names=[output.name],
        opset=ONNX_OPSET,
        tensors_to_rename={image.name: INPUT_NAME, output.name: OUTPUT_NAME},
    )
    path.write_bytes(model.SerializeToString())
