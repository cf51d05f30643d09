"""The trained model as files, and the proof that each file behaves like the model. For the trainer process only.

The usual ways take 2.5 to 4 times as long for an EfficientNet-Lite0 (`python -m benchmarks.exports`): they trace
the model for several signatures, save and reload every variable, and freeze the graph in Python. Here the weights go
in as constants while the model is traced, so the graph is frozen from the start. That also evades a trap: TFLite's
converter leaves out weights that Keras holds (a 177 kB file and no error).
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from protocol.errors import TrainingError

#: What is written for every model, and its name in the model folder.
FORMATS: dict[str, str] = {"keras": "model.keras", "saved_model": "saved_model", "tflite": "model.tflite"}

INPUT_NAME = "image"
OUTPUT_NAME = "output"

#: Images per step of a predictor: enough to keep the cores busy, small enough for a decoder's feature maps.
PREDICT_BATCH = 16

#: Outputs (probabilities) of a format may differ from the model's by this much. Measured on a CPU: 1e-6 to 1e-5;
#: a GPU that computes convolutions in TF32 comes within 5e-3 of a CPU. A wrong export is off by 0.1 and more.
MAX_DIFFERENCE = 1e-2

#: A format's score may differ by this much, or by one image where few are held out.
SCORE_TOLERANCE = 5e-3

Outputs = npt.NDArray[np.float32]
Predictor = Callable[[npt.NDArray[Any]], Outputs]


@dataclass(frozen=True)
class ExportCheck:
    """How one file behaved on the held-out images, loaded again from disk.

    score: by the caller's measure. max_difference: the largest between any output and the trained model's.
    agreement: share of decisions (class of an image or pixel) that are the same, 0 to 1.
    """

    format: str
    file: str
    size_bytes: int
    score: float
    max_difference: float
    agreement: float
    ms_per_image: float


def export_model(model: keras.Model, folder: Path, on_step: Callable[[float], None]) -> dict[str, Path]:
    """Write the model in every one of FORMATS into `folder`; returns their paths by format.

    model: one input float32 (n, S, S, 3), raw RGB 0 to 255, preprocessing inside; one output (n, ...).
    SavedModel: `serving_default` takes any batch, "image" -> "output". TFLite: one image at a time, all shapes
    fixed, as the GPU delegates of phones want it.
    on_step: told the finished fraction, 0.0 to 1.0, between the steps; what it raises ends the export.
    """
    paths = {name: folder / file for name, file in FORMATS.items()}
    model.save(paths["keras"])
    on_step(0.15)
    frozen = _trace_frozen(model, batch_size=None)
    on_step(0.3)
    tf.saved_model.save(tf.Module(), str(paths["saved_model"]), signatures=frozen)
    on_step(0.5)
    frozen = _trace_frozen(model, batch_size=1)
    on_step(0.65)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    paths["tflite"].write_bytes(converter.convert())
    on_step(1.0)
    return paths


def _trace_frozen(model: keras.Model, batch_size: int | None) -> Any:
    """The model in inference mode as a concrete function that holds its weights as constants."""
    trainable = [variable.numpy() for variable in model.trainable_variables]
    non_trainable = [variable.numpy() for variable in model.non_trainable_variables]

    def run(image: Any) -> dict[str, Any]:
        weights = [[tf.constant(value) for value in values] for values in (trainable, non_trainable)]
        with _scope():
            output, _ = model.stateless_call(*weights, image, training=False)
        return {OUTPUT_NAME: output}

    spec = tf.TensorSpec((batch_size, *model.input_shape[1:]), tf.float32, name=INPUT_NAME)
    frozen = tf.function(run, autograph=False).get_concrete_function(spec)
    if frozen.captured_inputs:
        names = ", ".join(str(getattr(value, "name", value.dtype)) for value in frozen.captured_inputs)
        raise ValueError(f"the model keeps state outside of its variables, which can't be exported: {names}")
    return frozen


def _scope() -> Any:
    """Keras names scopes after layers, and TensorFlow refuses an outermost one that begins with "_"."""
    return tf.name_scope("model")


def load_predictor(path: Path, threads: int) -> Predictor:
    """Load an exported file again, its format told by its name (one of FORMATS).

    threads: for TFLite; the other two use TensorFlow's own, which belong to the whole process.
    Returns a function from (n, S, S, 3) RGB 0 to 255, any dtype, to float32 outputs (n, ...).
    Raises ValueError for another name; what TensorFlow raises for a broken file.
    """
    loaders: dict[str, Callable[[], Predictor]] = {
        FORMATS["keras"]: lambda: _keras_predictor(path),
        FORMATS["saved_model"]: lambda: _saved_model_predictor(path),
        FORMATS["tflite"]: lambda: _tflite_predictor(path, threads),
    }
    if path.name not in loaders:
        raise ValueError(f"{path.name} is not an exported model; expected one of {', '.join(loaders)}")
    return loaders[path.name]()


def _in_batches(predict: Callable[[Any], Any]) -> Predictor:
    def run(images: npt.NDArray[Any]) -> Outputs:
        starts = range(0, max(1, len(images)), PREDICT_BATCH)
        batches = (np.asarray(images[start : start + PREDICT_BATCH], np.float32) for start in starts)
        return np.concatenate([np.asarray(predict(tf.constant(batch)), np.float32) for batch in batches])

    return run


def _keras_predictor(path: Path) -> Predictor:
    model = keras.models.load_model(path, compile=False)

    def run(image: Any) -> Any:
        with _scope():
            return model(image, training=False)

    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    return _in_batches(tf.function(run, [spec], autograph=False))


def _saved_model_predictor(path: Path) -> Predictor:
    # TensorFlow takes the folder's path for a pattern and finds nothing below "photos [2024]": go in by another way.
    with tempfile.TemporaryDirectory(prefix="tfmodel-") as folder:
        link = Path(folder) / path.name
        link.symlink_to(path.resolve(), target_is_directory=True)
        loaded = tf.saved_model.load(str(link))
    signature = loaded.signatures["serving_default"]

    def predict(images: Any, _keep_alive: Any = loaded) -> Any:
        return signature(**{INPUT_NAME: images})[OUTPUT_NAME]

    return _in_batches(predict)


def _tflite_predictor(path: Path, threads: int) -> Predictor:
    with warnings.catch_warnings():
        # Announced to move to a package of its own, which nothing else here needs.
        warnings.filterwarnings("ignore", message=r"(?s).*tf\.lite\.Interpreter is deprecated", category=UserWarning)
        # By content, which is verified; by path, a file that was cut off crashes the process.
        interpreter = tf.lite.Interpreter(model_content=path.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    image_index = interpreter.get_input_details()[0]["index"]
    output = interpreter.get_output_details()[0]

    def run(images: npt.NDArray[Any]) -> Outputs:
        outputs = np.empty((len(images), *output["shape"][1:]), np.float32)
        for index in range(len(images)):
            interpreter.set_tensor(image_index, np.asarray(images[index : index + 1], np.float32))
            interpreter.invoke()
            outputs[index] = interpreter.get_tensor(output["index"])[0]
        return outputs

    return run


def check_exports(
    files: dict[str, Path],
    inputs: npt.NDArray[np.uint8],
    reference: npt.NDArray[Any],
    score: Callable[[Outputs], float],
    on_step: Callable[[float], None],
    threads: int = 2,
) -> list[ExportCheck]:
    """Load each exported file from disk and hold it against the trained model on held-out images.

    files: paths by format, from `export_model`. inputs: uint8 (n, S, S, 3), n >= 1.
    reference: the trained model's outputs (n, ...), probabilities. score: from such outputs to the task's measure.
    on_step: told the finished fraction at every batch; what it raises ends the check.
    Raises TrainingError export_mismatch, naming the format and by how much, as soon as one differs.
    """
    if len(inputs) == 0 or len(inputs) != len(reference):
        raise ValueError(f"{len(inputs)} held-out images and {len(reference)} reference outputs; need n >= 1 of both")
    reference = np.asarray(reference, np.float32)
    checks = []
    for number, (name, path) in enumerate(files.items()):
        outputs, ms_per_image = _run_from_disk(path, inputs, threads, _part_of(on_step, number, len(files)))
        checks.append(_compare(name, path, outputs, reference, score, ms_per_image))
    return checks


def _part_of(on_step: Callable[[float], None], number: int, count: int) -> Callable[[float], None]:
    return lambda fraction: on_step((number + fraction) / count)


def _run_from_disk(
    path: Path, inputs: npt.NDArray[np.uint8], threads: int, on_step: Callable[[float], None]
) -> tuple[Outputs, float]:
    """Outputs for all inputs, and milliseconds per image once warm."""
    outputs = []
    try:
        predict = load_predictor(path, threads)
        predict(inputs[:1])
    except MemoryError:
        raise
    except Exception as error:
        raise TrainingError("export_mismatch", f"The exported {path.name} can't be run: {error}") from error
    spent_s = 0.0
    for start in range(0, len(inputs), PREDICT_BATCH):
        begun = time.perf_counter()
        outputs.append(predict(inputs[start : start + PREDICT_BATCH]))
        spent_s += time.perf_counter() - begun
        on_step(min(1.0, (start + PREDICT_BATCH) / len(inputs)))
    return np.concatenate(outputs), spent_s / len(inputs) * 1000


def _compare(
    name: str, path: Path, outputs: Outputs, reference: Outputs, score: Callable[[Outputs], float], ms_per_image: float
) -> ExportCheck:
    if outputs.shape != reference.shape:
        raise TrainingError(
            "export_mismatch", f"The exported {path.name} gives outputs {outputs.shape}, the model {reference.shape}."
        )
    difference = float(np.abs(outputs - reference).max())
    scores = float(score(outputs)), float(score(reference))
    agreement = float(np.mean(_decisions(outputs) == _decisions(reference)))
    tolerance = max(SCORE_TOLERANCE, 1 / len(outputs))
    if not (difference <= MAX_DIFFERENCE and abs(scores[0] - scores[1]) <= tolerance):  # so that NaN fails too
        raise TrainingError(
            "export_mismatch",
            f"The exported {path.name} does not behave like the trained model: it scores {scores[0]:.4f}, the model "
            f"{scores[1]:.4f}; outputs differ by up to {difference:.3g} ({MAX_DIFFERENCE:g} is allowed) and "
            f"{agreement:.1%} of the decisions agree. No model was published.",
        )
    return ExportCheck(name, path.name, _size_bytes(path), scores[0], difference, agreement, ms_per_image)


def _decisions(outputs: Outputs) -> npt.NDArray[Any]:
    """The class of each image or pixel: the likeliest of several, or yes or no from one probability."""
    return outputs.argmax(axis=-1) if outputs.shape[-1] > 1 else outputs >= 0.5


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
