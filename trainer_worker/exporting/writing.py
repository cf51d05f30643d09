"""The trained model as files. checks.py proves that they behave like the model.

The usual ways take 2.5 to 4 times as long for an EfficientNet-Lite0 (`python -m benchmarks.exports`): they trace
the model for several signatures, save and reload every variable, and freeze the graph in Python. Here the weights go
in as constants while the model is traced, so the graph is frozen from the start. That also evades a trap: TFLite's
converter leaves out weights that Keras holds (a 177 kB file and no error).
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from protocol.errors import TrainingError
from trainer_worker.exporting.checks import Unwritten
from trainer_worker.project.model_files import FILES

INPUT_NAME = "image"
OUTPUT_NAME = "output"

#: Formats in the order in which they are written, and the seconds that it takes for an EfficientNet-Lite0 at 224 px
#: on two cores. Those that TensorFlow must check come first: that takes longest, and goes on meanwhile.
WRITING_S: dict[str, float] = {
    "keras": 0.4,
    "saved_model": 0.8,
    "tflite": 1.6,
    "tflite_float16": 1.0,
    "onnx": 4.5,
    "tflite_int8": 6.0,
}

#: Formats whose converters may fail on a model without costing the others; the result says why.
MAY_FAIL = ("tflite_float16", "tflite_int8", "onnx")

#: What ONNX takes beyond requirements.txt: tf2onnx writes the file, onnxruntime checks it. Both are importable names
#: and names on PyPI. Tried: tf2onnx 1.17.0 with onnx 1.23.2 and onnxruntime 1.32.0.
ONNX_PACKAGES = ("tf2onnx", "onnxruntime")
ONNX_OPSET = 18

#: Training pictures that show int8 the range of every tensor.
CALIBRATION_PICTURES = 64

#: uint8 RGB (k, S, S, 3), read only when int8 is asked for.
ReadPictures = Callable[[], npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Export:
    """What the converters work on.

    model: one input float32 (n, S, S, 3), raw RGB 0 to 255, preprocessing inside; one output (n, ...).
    frozen: that model as a concrete function for a batch size, None for any; traced once for each.
    on_step: told the finished fraction of this format; what it raises ends the export.
    """

    model: keras.Model
    frozen: Callable[[int | None], Any]
    calibration: ReadPictures
    on_step: Callable[[float], None]


def refuse_impossible(formats: Sequence[str]) -> None:
    """Before hours of training: TrainingError unsupported_option when none of the formats can be written here."""
    reasons = [_missing_packages() if name == "onnx" else "" for name in formats]
    if all(reasons):
        raise TrainingError("unsupported_option", f"exports={','.join(formats)} can't be had: {reasons[0]}")


def export_model(
    model: keras.Model,
    folder: Path,
    formats: Sequence[str],
    calibration: ReadPictures,
    on_written: Callable[[str, Path], None],
    on_step: Callable[[float], None],
) -> list[Unwritten]:
    """Write the model into `folder` in the given formats (keys of FILES); returns those that could not be, and why.

    model, calibration: see Export. Every file takes a batch "image", float32 raw RGB 0 to 255, and gives "output";
    SavedModel, Keras and ONNX any number at a time, TFLite one image, as the GPU delegates of phones want it.
    on_written: told the format and the path of each file as it is complete.
    on_step: told the finished fraction, 0.0 to 1.0; what it raises ends the export.
    Raises TrainingError trainer_error when no format at all could be written.
    """
    ordered = [name for name in WRITING_S if name in formats]
    total_s, done_s = sum(WRITING_S[name] for name in ordered), 0.0
    frozen = functools.cache(functools.partial(_trace_frozen, model))
    unwritten = []
    for name in ordered:
        step = functools.partial(_step_within, on_step, done_s / total_s, WRITING_S[name] / total_s)
        reason = _write(name, Export(model, frozen, calibration, step), folder / FILES[name])
        if reason:
            unwritten.append(Unwritten(name, reason))
        else:
            on_written(name, folder / FILES[name])
        done_s += WRITING_S[name]
        on_step(1.0 if name == ordered[-1] else done_s / total_s)
    if len(unwritten) == len(ordered):
        reasons = "; ".join(f"{missing.format}: {missing.reason}" for missing in unwritten)
        raise TrainingError("trainer_error", f"No format that was asked for could be exported. {reasons}")
    return unwritten


def expected_s(formats: Sequence[str]) -> float:
    """Seconds that writing these formats should take, for the plan."""
    return sum(WRITING_S[name] for name in formats)


def _step_within(on_step: Callable[[float], None], begin: float, share: float, fraction: float) -> None:
    on_step(begin + share * fraction)


def _write(name: str, export: Export, path: Path) -> str:
    """Write one file; why it could not be, or ""."""
    if name == "onnx" and (missing := _missing_packages()):
        return missing
    if name == "keras":
        export.model.save(path)
    elif name == "saved_model":
        tf.saved_model.save(tf.Module(), str(path), signatures=export.frozen(None))
    else:
        content = _converted(name, export)
        if isinstance(content, str):
            return content
        path.write_bytes(content)
    return ""


def _converted(name: str, export: Export) -> bytes | str:
    """The file's content, or why the converter failed where that may happen. A cancel passes through."""
    convert = {"tflite": _tflite, "tflite_float16": _float16, "tflite_int8": _int8, "onnx": _onnx}[name]
    stopped: list[BaseException] = []

    def on_step(fraction: float) -> None:
        try:
            export.on_step(fraction)
        except BaseException as error:
            stopped.append(error)
            raise

    try:
        return convert(Export(export.model, export.frozen, export.calibration, on_step))
    except Exception as error:
        if stopped:
            raise stopped[0] from None
        if name not in MAY_FAIL or isinstance(error, MemoryError):
            raise
        return f"the converter failed: {type(error).__name__}: {str(error)[:500]}"


def _trace_frozen(model: keras.Model, batch_size: int | None) -> Any:
    """The model in inference mode as a concrete function that holds its weights as constants."""
    trainable = [variable.numpy() for variable in model.trainable_variables]
    non_trainable = [variable.numpy() for variable in model.non_trainable_variables]

    def run(image: Any) -> dict[str, Any]:
        weights = [[tf.constant(value) for value in values] for values in (trainable, non_trainable)]
        with tf.name_scope("model"):  # TensorFlow refuses an outermost scope that begins with "_", as a layer may
            output, _ = model.stateless_call(*weights, image, training=False)
        return {OUTPUT_NAME: output}

    spec = tf.TensorSpec((batch_size, *model.input_shape[1:]), tf.float32, name=INPUT_NAME)
    frozen = tf.function(run, autograph=False).get_concrete_function(spec)
    if frozen.captured_inputs:
        names = ", ".join(str(getattr(value, "name", value.dtype)) for value in frozen.captured_inputs)
        raise ValueError(f"the model keeps state outside of its variables, which can't be exported: {names}")
    return frozen


def _tflite(export: Export) -> bytes:
    return _convert(_converter(export))


def _float16(export: Export) -> bytes:
    """Weights as float16, half the size; input, output and, on a CPU, the arithmetic stay float32."""
    converter = _converter(export)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    return _convert(converter)


def _int8(export: Export) -> bytes:
    """Weights and activations as int8, in integer arithmetic only; input and output stay float32."""

    def pictures() -> Any:
        calibration = export.calibration()
        for number, picture in enumerate(calibration):
            yield [picture[np.newaxis].astype(np.float32)]
            export.on_step((number + 1) / (len(calibration) + 1))

    converter = _converter(export)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = pictures
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return _convert(converter)


def _converter(export: Export) -> Any:
    return tf.lite.TFLiteConverter.from_concrete_functions([export.frozen(1)])


def _convert(converter: Any) -> bytes:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs were expected")
        content: bytes = converter.convert()
    return content


def _onnx(export: Export) -> bytes:
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
    content: bytes = model.SerializeToString()
    return content


def _missing_packages() -> str:
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    command = f"pip install {' '.join(ONNX_PACKAGES)}"
    return f"ONNX needs {' and '.join(missing)}, which the worker lacks; its operator can add it with: {command}"
