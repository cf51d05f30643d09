"""The smallest file that has the form of a TFLite model: two tensors, no operator. No interpreter could run it."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np


def small_tflite(weights: bytes = b"weights!" * 4, numbers: int = 3) -> bytes:
    """A model with an input "image", an output "scores" of shape (1, numbers), one buffer of weights and one
    metadata entry, "other"."""
    builder = flatbuffers.Builder(0)
    shapes = {"image": (1, 32, 32, 3), "scores": (1, numbers)}
    parts = [
        {0: builder.CreateNumpyVector(np.array(shape, np.int32)), 3: builder.CreateString(name)}
        for name, shape in shapes.items()
    ]
    tensors = references(builder, [table(builder, fields) for fields in parts])
    inputs, outputs = (builder.CreateNumpyVector(np.array([number], np.int32)) for number in (0, 1))
    subgraphs = references(builder, [table(builder, {0: tensors, 1: inputs, 2: outputs})])
    builder.Prep(16, len(weights))
    buffers = references(builder, [table(builder, {}), table(builder, {0: builder.CreateByteVector(weights)})])
    metadata = references(builder, [table(builder, {0: builder.CreateString("other")})])
    description = builder.CreateString("small")
    fields = {2: subgraphs, 3: description, 4: buffers, 6: metadata}
    builder.StartObject(8)
    builder.PrependUint32Slot(0, 3, 0)
    for field, part in fields.items():
        builder.PrependUOffsetTRelativeSlot(field, part, 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    return bytes(builder.Output())


def table(builder: Any, fields: dict[int, int]) -> int:
    builder.StartObject(max(fields, default=-1) + 1)
    for field, part in fields.items():
        builder.PrependUOffsetTRelativeSlot(field, part, 0)
    return int(builder.EndObject())


def references(builder: Any, parts: list[int]) -> int:
    builder.StartVector(4, len(parts), 4)
    for part in reversed(parts):
        builder.PrependUOffsetTRelative(part)
    return int(builder.EndVector())
