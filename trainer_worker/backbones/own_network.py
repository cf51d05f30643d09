"""Builds a backbone from the folder of an operator's own network (own_folder.py).

Raw pictures are scaled and ordered as the network takes them, and what it gives becomes a map of features. A Keras
network becomes a part of the backbone layer by layer, so it can be cut, fine-tuned and exported like ours. A SavedModel
stays one piece (saved_network.py).
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from keras import layers

from trainer_worker.attempt.local_weights import LocalWeights
from trainer_worker.backbones.backbone import STRIDES, Backbone
from trainer_worker.backbones.own_folder import OwnFolder, read_own_folder
from trainer_worker.backbones.saved_network import saved_network

#: Begins the names of the network's own layers, so that none is called like one that a trainer adds.
LAYER_PREFIX = "own_"
#: A feature may not be larger than this. The cache of features takes larger ones for damaged (feature_cache.py).
MOST_VALUE = 1e6
#: The most features of a picture. The best networks give about 2,000; a map without an average gives far more.
MOST_FEATURES = 16_384


def load_own_network(weights: LocalWeights) -> Backbone:
    """The backbone in the folder weights.path.

    Raises TrainingError unsupported_option if the settings are wrong, and `build` does so if the network is, or if
    anything in the folder has changed.
    """
    folder = read_own_folder(weights.path)
    settings = folder.settings
    return Backbone(
        name=folder.name,
        network=settings.network,
        licence=settings.licence,
        weights_sha256=weights.sha256,
        build=functools.partial(_build, folder, weights),
        trunk_end=LAYER_PREFIX + settings.trunk_end if settings.trunk_end else None,
        endpoints=tuple(LAYER_PREFIX + name for name in settings.endpoints),
        features_cost=settings.cost,
        training_cost=settings.cost,
        exports_cost=settings.cost,
        is_operators_own=True,
        impossible_formats=() if folder.is_keras else ("keras",),
    )


def _build(folder: OwnFolder, weights: LocalWeights, image_size: int) -> Any:
    """Build the network, see Backbone.build. weights: as they were before the settings of the folder were read."""
    wanted_px = folder.settings.input_px
    if wanted_px and wanted_px != image_size:
        folder.refuse_key("input_px", f"the imageSize of this task is {image_size}; post imageSize={wanted_px}.")
    image = keras.Input((image_size, image_size, 3), name="image")
    x = _preprocessed(folder, image)
    outputs = _keras_outputs(folder, x) if folder.is_keras else saved_network(folder, tuple(x.shape))(x)
    weights.refuse_if_changed()
    model = keras.Model(image, _as_map(folder, outputs), name="own_network")
    _check_layers(folder, model, image_size)
    _check_numbers(folder, model, image_size)
    return model


def _preprocessed(folder: OwnFolder, image: Any) -> Any:
    """RGB from 0 to 255 as the network takes it."""
    settings = folder.settings
    x = image
    if settings.channels == "bgr":
        x = keras.ops.flip(x, axis=-1)
    x = layers.Rescaling(*settings.preprocessing(), name="preprocess")(x)
    if settings.data_format == "channels_first":
        x = layers.Permute((3, 1, 2), name="channels_first")(x)
    return x


def _keras_outputs(folder: OwnFolder, x: Any) -> Any:
    """The output of the Keras file's network for the symbolic pictures x. Its layers are those of the file."""
    network = _load_keras(folder)
    expected, given = tuple(network.inputs[0].shape[1:]), tuple(x.shape[1:])
    if len(expected) != 3 or any(size not in (None, wanted) for size, wanted in zip(expected, given, strict=True)):
        folder.refuse_model(
            f"takes pictures of the shape {expected}, and those of this task have {given}. Post an imageSize that fits,"
            " or save the network with an input of any size, keras.Input((None, None, 3))."
        )
    output = folder.settings.output
    outputs = _output_of(folder, network, output, "output") if output else network.outputs[0]
    network = keras.Model(network.inputs[0], outputs)
    for operation in network.operations:
        # Each layer is to have one place only: the one in the backbone. The loaded graph is not used again.
        operation._inbound_nodes.clear()
        operation._outbound_nodes.clear()
        operation.name = LAYER_PREFIX + operation.name
    _quieten(network)
    return network.call(x)


def _load_keras(folder: OwnFolder) -> Any:
    try:
        # In the safe mode, Keras runs no code from the file, such as that of Lambda layers.
        network = keras.models.load_model(folder.model, compile=False, safe_mode=True)
    except Exception as error:  # for a wrong file Keras raises many kinds of exceptions
        folder.refuse_model(
            f"can't be loaded: {str(error)[:300]} Save it by Keras {keras.__version__} as a .keras file with Keras's "
            "own layers only, without Lambda layers and layers of other packages; or save it as a SavedModel."
        )
    inputs, outputs = getattr(network, "inputs", None), getattr(network, "outputs", None)
    if not inputs or not outputs:
        folder.refuse_model("is no graph of layers; save a keras.Model that was made of its inputs and outputs.")
    if len(inputs) != 1 or (len(outputs) != 1 and not folder.settings.output):
        folder.refuse_model(
            f"has {len(inputs)} inputs and {len(outputs)} outputs; it must take pictures alone and give one output. "
            "The key output of backbone.toml can name the layer to use."
        )
    return network


def _output_of(folder: OwnFolder, network: Any, name: str, key: str) -> Any:
    """The output of the layer of that name, which is one tensor."""
    found = [layer for layer in network.layers if layer.name == name]
    if not found:
        some = ", ".join(layer.name.removeprefix(LAYER_PREFIX) for layer in network.layers[-12:])
        folder.refuse_key(key, f"the network has no layer {name.removeprefix(LAYER_PREFIX)}; its last ones are {some}.")
    output = found[0].output
    if not isinstance(output, keras.KerasTensor):
        folder.refuse_key(key, f"this layer gives {len(output)} outputs; name one that gives a single output.")
    return output


def _quieten(network: Any) -> None:
    """Switch off what differs between training and use, as with our own backbones."""
    for layer in network._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False  # this layer then also uses its moving averages
        elif isinstance(layer, layers.Dropout | layers.GaussianDropout | layers.AlphaDropout):
            layer.rate = 0.0
        elif isinstance(layer, layers.GaussianNoise):
            layer.stddev = 0.0


def _as_map(folder: OwnFolder, x: Any) -> Any:
    """The network's output as (n, h, w, features): a vector is a map of one cell."""
    shape = tuple(x.shape)
    if len(shape) not in (2, 3, 4) or None in shape[1:]:
        folder.refuse_model(
            f"gives an output of the shape {shape}. Allowed are (n, features), (n, tokens, features) and (n, height, "
            "width, features) with known numbers. The key output of backbone.toml can name another output or layer."
        )
    if x.dtype != "float32":
        folder.refuse_model(f"gives {x.dtype}; save a network that computes in float32.")
    if len(shape) == 4 and folder.settings.data_format == "channels_first":
        x = layers.Permute((2, 3, 1), name="channels_last")(x)
        shape = tuple(x.shape)
    if shape[-1] > MOST_FEATURES:
        folder.refuse_model(
            f"gives {shape[-1]:,} features of a picture; allowed are {MOST_FEATURES:,}. Save the network with an "
            "average over its map, or name another output in backbone.toml."
        )
    if len(shape) == 3 and folder.settings.tokens == "first":
        x = layers.Cropping1D((0, shape[1] - 1), name="first_token")(x)
    elif len(shape) == 3:
        x = layers.GlobalAveragePooling1D(name="mean_token")(x)
    return x if len(shape) == 4 else layers.Reshape((1, 1, shape[-1]), name="one_cell")(x)


def _check_layers(folder: OwnFolder, model: Any, image_size: int) -> None:
    """Check that the backbone can be cut where backbone.toml says."""
    settings = folder.settings
    if settings.trunk_end:
        end = _output_of(folder, model, LAYER_PREFIX + settings.trunk_end, "trunk_end")
        if len(end.shape) not in (3, 4):
            folder.refuse_key("trunk_end", f"it gives {tuple(end.shape)}; name a layer that gives maps or tokens.")
        try:
            tail = keras.Model(end, model.output)
        except ValueError:
            folder.refuse_key(
                "trunk_end",
                "one cut there does not part the network; name a layer that all later ones depend on alone.",
            )
        in_trunk = {id(weight) for weight in keras.Model(model.input, end).weights}
        if any(id(weight) in in_trunk for weight in tail.weights):
            # Fine-tuning would change the trunk, from which all features have been computed.
            folder.refuse_key("trunk_end", "layers before it and behind it share their weights. Name another layer.")
        nested = [layer.name for layer in tail.layers if isinstance(layer, keras.Model)]
        if nested or not tail.trainable_variables:
            reason = (
                f"a network in the network ({nested[0]}) follows it" if nested else "nothing that learns follows it"
            )
            folder.refuse_key("trunk_end", f"{reason}. Name another layer, or none, and only the head is trained.")
    for name, stride in zip(settings.endpoints, STRIDES, strict=False):
        shape = tuple(_output_of(folder, model, LAYER_PREFIX + name, "endpoints").shape)
        if len(shape) != 4 or shape[1:3] != (image_size // stride, image_size // stride):
            folder.refuse_key(
                "endpoints",
                f"for pictures of {image_size} px, {name} gives {shape} instead of (n, {image_size // stride}, "
                f"{image_size // stride}, channels).",
            )


def _check_numbers(folder: OwnFolder, model: Any, image_size: int) -> None:
    """Check what the network, and each layer that backbone.toml names, gives for noise, black and white."""
    settings = folder.settings
    pictures = np.zeros((3, image_size, image_size, 3), np.float32)
    pictures[0] = np.random.default_rng(0).uniform(0, 255, pictures.shape[1:])
    pictures[2] = 255
    places = {f" behind {name}": model.get_layer(LAYER_PREFIX + name).output for name in settings.layers}
    watched = keras.Model(model.input, [*places.values(), model.output])
    try:
        found = [np.asarray(values) for values in keras.tree.flatten(watched(pictures, training=False))]
    except Exception as error:  # what TensorFlow raises depends on the operation that fails
        folder.refuse_model(f"can't be run on pictures of {image_size} px: {type(error).__name__}: {str(error)[:300]}")
    for place, features in zip([*places, ""], found, strict=True):
        if not np.abs(features).max() <= MOST_VALUE:  # written so that NaN is refused too
            folder.refuse_model(
                f"gives features up to {np.abs(features).max():.3g}{place}; allowed are finite numbers up to "
                f"{MOST_VALUE:.0e}. Look whether backbone.toml prepares pictures as the network was trained (scale and "
                "offset, or mean and std)."
            )
