"""Small .tflite files that LiteRT can run, made without TensorFlow. Their answers can be computed by hand."""

from __future__ import annotations

import math
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from trainer_worker.exporting.metadata import append_zip
from trainer_worker.exporting.model_use import ModelUse

SIDE = 32
COLOURS = ("red", "green", "blue")
#: The classifier's numbers are the softmax of the mean colour, 0 to 1, times this.
SHARPNESS = 4.0


def colour_classifier(weights: int = 0, **use: Any) -> bytes:
    """Says which of COLOURS a picture mainly has. weights: bytes that make the file larger and change nothing."""
    graph = _Graph((1, SIDE, SIDE, 3), weights)
    axes = graph.constant(np.array([1, 2], np.int32))
    mean = graph.tensor((1, 3))
    graph.operator(schema.BuiltinOperator.MEAN, [graph.input, axes], mean, "ReducerOptions", schema.ReducerOptionsT())
    factor = graph.constant(np.array([SHARPNESS / 255] * 3, np.float32))
    logits = graph.tensor((1, 3))
    graph.operator(schema.BuiltinOperator.MUL, [mean, factor], logits, "MulOptions", schema.MulOptionsT())
    output = graph.tensor((1, 3))
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    graph.operator(schema.BuiltinOperator.SOFTMAX, [logits], output, "SoftmaxOptions", softmax)
    given = {"train_type": "classification", "labels": COLOURS, "side_px": SIDE, "is_mask": False, **use}
    return append_zip(graph.file(output), ModelUse(**given).files())


def colour_segmenter(**use: Any) -> bytes:
    """Says of each pixel which of COLOURS it has."""
    graph = _Graph((1, SIDE, SIDE, 3), 0)
    factor = graph.constant(np.array([1 / 255] * 3, np.float32))
    output = graph.tensor((1, SIDE, SIDE, 3))
    graph.operator(schema.BuiltinOperator.MUL, [graph.input, factor], output, "MulOptions", schema.MulOptionsT())
    given = {"train_type": "segmentation", "labels": COLOURS, "side_px": SIDE, "is_mask": True, **use}
    return append_zip(graph.file(output), ModelUse(**given).files())


def brightness_segmenter(**use: Any) -> bytes:
    """Gives each pixel's mean brightness, 0 to 1, as its probability of foreground."""
    graph = _Graph((1, SIDE, SIDE, 3), 0)
    axes = graph.constant(np.array([3], np.int32))
    mean = graph.tensor((1, SIDE, SIDE, 1))
    kept = schema.ReducerOptionsT()
    kept.keepDims = True
    graph.operator(schema.BuiltinOperator.MEAN, [graph.input, axes], mean, "ReducerOptions", kept)
    factor = graph.constant(np.array([1 / 255], np.float32))
    output = graph.tensor((1, SIDE, SIDE, 1))
    graph.operator(schema.BuiltinOperator.MUL, [mean, factor], output, "MulOptions", schema.MulOptionsT())
    labels = ("background", "foreground")
    given = {"train_type": "segmentation", "labels": labels, "side_px": SIDE, "is_mask": True, **use}
    return append_zip(graph.file(output), ModelUse(**given).files())


def classified(red: float, green: float, blue: float) -> list[float]:
    """What colour_classifier answers for a picture of that mean colour, 0 to 255."""
    powers = [math.exp(SHARPNESS * value / 255) for value in (red, green, blue)]
    return [power / sum(powers) for power in powers]


class _Graph:
    """A model with one input and one output, built operator by operator."""

    def __init__(self, input_shape: tuple[int, ...], extra_bytes: int) -> None:
        self._model = schema.ModelT()
        self._model.version = 3
        self._model.buffers = [schema.BufferT()]
        self._model.operatorCodes = []
        self._subgraph = schema.SubGraphT()
        self._subgraph.tensors, self._subgraph.operators = [], []
        self.input = self.tensor(input_shape)
        if extra_bytes:
            self._buffer(np.zeros(extra_bytes, np.uint8))

    def tensor(self, shape: tuple[int, ...], kind: int = schema.TensorType.FLOAT32, buffer: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = list(shape), kind, buffer
        tensor.name = f"tensor_{len(self._subgraph.tensors)}"
        self._subgraph.tensors.append(tensor)
        return len(self._subgraph.tensors) - 1

    def constant(self, values: Any) -> int:
        kind = schema.TensorType.INT32 if values.dtype == np.int32 else schema.TensorType.FLOAT32
        return self.tensor(values.shape, kind, self._buffer(values.view(np.uint8)))

    def operator(self, code: int, inputs: list[int], output: int, options_name: str, options: Any) -> None:
        known = schema.OperatorCodeT()
        known.builtinCode, known.deprecatedBuiltinCode, known.version = code, code, 1
        self._model.operatorCodes.append(known)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, [output]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options_name)
        operator.builtinOptions = options
        self._subgraph.operators.append(operator)

    def file(self, output: int) -> bytes:
        self._subgraph.inputs, self._subgraph.outputs = [self.input], [output]
        self._model.subgraphs = [self._subgraph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _buffer(self, data: Any) -> int:
        buffer = schema.BufferT()
        buffer.data = data
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1
