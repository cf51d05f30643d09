"""An operator's SavedModel as a layer of a backbone.

Its weights are made constants of its graph. Such a layer can be traced into a TFLite file, a SavedModel or an ONNX file
like any other. It has no weights to train, and a Keras file can't hold it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from trainer_worker.backbones.own_folder import OwnFolder


class SavedNetwork(keras.layers.Layer):  # type: ignore[misc]
    """function: a TensorFlow function without variables; output: which of its outputs to give."""

    def __init__(self, function: Any, output: int) -> None:
        super().__init__(name="saved_network", trainable=False)
        self._function = function
        self._output = output

    def call(self, inputs: Any) -> Any:
        """The output for prepared pictures."""
        return self._function(inputs)[self._output]

    def get_config(self) -> dict[str, Any]:
        """Raises NotImplementedError: what Keras would store of this layer could not be loaded without TFModel."""
        raise NotImplementedError(
            "the backbone came as a SavedModel, and a Keras file can hold Keras's own layers only; take "
            "exports=saved_model instead"
        )


def saved_network(folder: OwnFolder, shape: Sequence[int | None]) -> SavedNetwork:
    """The SavedModel of that folder. shape: that of its input.

    Raises TrainingError unsupported_option if it can't be used.
    """
    signature = _signature(folder)
    spec, name = _only_input(folder, signature), folder.settings.output
    expected = spec.shape.as_list() if spec.shape.rank is not None else []
    fits = len(expected) == len(shape) and expected[0] is None
    if not fits or any(size not in (None, wanted) for size, wanted in zip(expected[1:], shape[1:], strict=True)):
        folder.refuse_model(
            f"takes an input of the shape {expected}, and that of this task is {list(shape)}. Post an imageSize that "
            "fits, export the SavedModel for batches of any size (None), or set data_format in backbone.toml."
        )
    if spec.dtype != tf.float32:
        folder.refuse_model(f"takes {spec.dtype.name}; export one that takes float32.")
    names = sorted(signature.structured_outputs)
    if name not in names and (name or len(names) != 1):
        folder.refuse_key("output", f"the signature gives {', '.join(names)}; name one of them.")
    try:
        function = convert_variables_to_constants_v2(signature)
    except Exception as error:  # what TensorFlow raises depends on what the graph holds
        folder.refuse_model(f"can't be made a graph with constant weights: {type(error).__name__}: {str(error)[:300]}")
    return SavedNetwork(function, names.index(name) if name else 0)


def _signature(folder: OwnFolder) -> Any:
    wanted = folder.settings.signature
    try:
        # TensorFlow takes the folder's path for a glob pattern. A link at a plain path avoids that.
        with tempfile.TemporaryDirectory(prefix="tfmodel-") as place:
            link = Path(place) / "saved_model"
            link.symlink_to(folder.model.resolve(), target_is_directory=True)
            loaded = tf.saved_model.load(str(link))
        signatures = dict(loaded.signatures)
    except Exception as error:  # for a wrong file TensorFlow raises many kinds of exceptions
        folder.refuse_model(f"can't be loaded: {type(error).__name__}: {str(error)[:300]}")
    if wanted not in signatures:
        folder.refuse_key("signature", f"the SavedModel has {', '.join(sorted(signatures)) or 'none'}.")
    function = signatures[wanted]
    function.kept_alive = loaded  # its variables go with the object that was loaded
    return function


def _only_input(folder: OwnFolder, signature: Any) -> Any:
    inputs = list(signature.structured_input_signature[1].values())
    if len(inputs) != 1:
        folder.refuse_model(f"takes {len(inputs)} inputs; its signature must take pictures alone.")
    return inputs[0]
