"""Adds metadata to a .tflite file: a description of its input and output, and its labels.

The format is TensorFlow Lite Metadata (schema metadata_schema.fbs, identifier M001), which MediaPipe Tasks, Android
Studio and Netron read: a flatbuffer in the model's buffers, listed under the name TFLITE_METADATA, and the label file
in an uncompressed zip at the end of the file. Interpreters ignore both.

The model is not unpacked and written anew. Offsets in a flatbuffer point forward from a table to its parts, so a new
root table in front of the old bytes can share all of them, and only the old root table is left unused
(docs/choices.md, "Metadata in front of the model").
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import encode, packer, table

LABELS_FILE = "labels.txt"
METADATA_NAME = "TFLITE_METADATA"
AUTHOR = "TFModel"
MODEL_IDENTIFIER = b"TFL3"
METADATA_IDENTIFIER = b"M001"
#: The oldest parser that knows every field written here.
MIN_PARSER_VERSION = "1.0.0"
#: Buffers of a model begin at multiples of this, as its schema wants it.
ALIGNMENT_BYTES = 16
#: Space for the new parts at first; the builder doubles the whole buffer if that is too little.
ROOM_BYTES = 1 << 16

# Fields of the root table `Model` in TensorFlow Lite's schema.fbs (version 3): all but the version are references.
VERSION, SUBGRAPHS, BUFFERS, METADATA, MODEL_FIELDS = 0, 2, 4, 6, 10

# Values of enums and unions in metadata_schema.fbs.
AXIS_LABELS, DESCRIPTIONS = np.int8(2), np.int8(1)
FEATURES, IMAGE = np.uint8(1), np.uint8(2)
RGB, GREY = np.int8(1), np.int8(2)
NORMALIZATION = np.uint8(1)

#: A flatbuffer table: field number → text, number (a numpy scalar, which tells its width), table, or list of one kind.
Fields = Mapping[int, Any]


@dataclass(frozen=True)
class ModelDescription:
    """What the metadata says about a model that has one picture as input and one output.

    name, purpose: of the model. output: the output's name. meaning: what its numbers mean, which go from 0 to 1.
    is_mask: whether the output is a grey picture of the input's size; otherwise it is a list of numbers.
    labels: a description of labels.txt. labels_name_outputs: whether its lines name the output's numbers.
    """

    name: str
    purpose: str
    output: str
    meaning: str
    is_mask: bool
    labels: str
    labels_name_outputs: bool


def describe_tflite(model: bytes, description: ModelDescription, side_px: int, label_file: str) -> bytes:
    """The .tflite file with metadata and labels added; its outputs stay the same.

    model: the file's bytes; one image input of side_px, one output. label_file: one label per line, in output order.
    Raises ValueError if the model is not a TFLite model of the known schema, or has metadata already.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write_table(builder, _model(description, side_px)), METADATA_IDENTIFIER)
    described = add_metadata_buffer(model, METADATA_NAME, bytes(builder.Output()))
    return append_zip(described, {LABELS_FILE: label_file.encode()})


def _output(description: ModelDescription, side_px: int) -> Fields:
    label_type = AXIS_LABELS if description.labels_name_outputs else DESCRIPTIONS
    return {
        0: description.output,
        1: description.meaning,
        3: {0: IMAGE, 1: {0: GREY, 1: _size(side_px)}} if description.is_mask else {0: FEATURES, 1: {}},
        5: {0: [1.0], 1: [0.0]},
        6: [{0: LABELS_FILE, 1: description.labels, 2: label_type}],
    }


def _model(description: ModelDescription, side_px: int) -> Fields:
    image = {
        0: "image",
        1: "RGB picture, squashed to the input size, values 0 to 255; preprocessing is inside of the model.",
        3: {0: IMAGE, 1: {0: RGB, 1: _size(side_px)}},
        4: [{0: NORMALIZATION, 1: {0: [0.0], 1: [1.0]}}],  # (value - 0) / 1, which readers of float models require
        5: {0: [255.0], 1: [0.0]},
    }
    tensors = {2: [image], 3: [_output(description, side_px)]}
    return {0: description.name, 1: description.purpose, 3: [tensors], 4: AUTHOR, 7: MIN_PARSER_VERSION}


def _size(side_px: int) -> Fields:
    return {0: np.uint32(side_px), 1: np.uint32(side_px)}


def add_metadata_buffer(model: bytes, name: str, data: bytes) -> bytes:
    """The model with `data` as one more buffer, listed in its metadata under `name`.

    The result contains every byte of `model`, with its alignment to 16 bytes unchanged. Raises ValueError as above.
    """
    if model[4:8] != MODEL_IDENTIFIER:
        raise ValueError(f"no TFLite model: the file begins with {model[:8]!r}")
    padded = model + bytes(-len(model) % ALIGNMENT_BYTES)
    old = _References(padded)
    if name in old.metadata_names():
        raise ValueError(f"the model has {name} already")

    builder = flatbuffers.Builder(0)
    # Builders grow downwards. With the old bytes as what was built so far, they can be referenced as usual.
    builder.Bytes, builder.head = bytearray(ROOM_BYTES) + padded, ROOM_BYTES
    builder.Prep(ALIGNMENT_BYTES, len(data))
    buffers = [*old.elements(BUFFERS), _write_table(builder, {0: _Written(builder.CreateByteVector(data))})]
    entry = _write_table(builder, {0: name, 1: np.uint32(len(buffers) - 1)})
    entries = [*old.elements(METADATA), entry]
    fields = old.fields()
    fields[BUFFERS] = _Written(_write_references(builder, buffers))
    fields[METADATA] = _Written(_write_references(builder, entries))
    builder.Finish(_write_table(builder, fields), MODEL_IDENTIFIER)
    return bytes(builder.Output())


def append_zip(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """`content`, followed by the files as an uncompressed zip whose offsets count from the start of `content`."""
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), data)  # which always has the time 1980-01-01
    return target.getvalue()


def tensor_names(model: bytes) -> tuple[str, str]:
    """The names of the first input and the first output, as an interpreter gives them."""
    subgraph = _References(model).tables(SUBGRAPHS)[0]
    tensors = _tables(subgraph, 0)
    first_input, first_output = (_vector(subgraph, field)[0] for field in (1, 2))  # positions of tensor numbers
    numbers = (encode.Get(packer.int32, model, position) for position in (first_input, first_output))
    names = [tensors[number].String(tensors[number].Pos + tensors[number].Offset(10)).decode() for number in numbers]
    return names[0], names[1]


class _Written(int):
    """A part that is already in the buffer: its distance from the buffer's end, which is how builders count."""


class _References:
    """The root table of a model. Its parts are given as references for a builder that writes in front of them."""

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._root = table.Table(model, encode.Get(packer.uoffset, model, 0))
        vtable = self._root.Pos - encode.Get(packer.soffset, model, self._root.Pos)
        slots = (encode.Get(packer.voffset, model, vtable) - 4) // 2
        if slots > MODEL_FIELDS:
            raise ValueError(f"the model's root has {slots} fields, {MODEL_FIELDS} are known: a newer TFLite schema")

    def fields(self) -> dict[int, Any]:
        """Every field that is set."""
        found: dict[int, Any] = {}
        for field in range(MODEL_FIELDS):
            offset = self._root.Offset(4 + 2 * field)
            position = self._root.Pos + offset
            if offset and field == VERSION:
                found[field] = np.uint32(encode.Get(packer.uint32, self._model, position))
            elif offset:
                found[field] = _Written(len(self._model) - self._root.Indirect(position))
        return found

    def tables(self, field: int) -> list[Any]:
        return _tables(self._root, field)

    def elements(self, field: int) -> list[int]:
        return [len(self._model) - part.Pos for part in self.tables(field)]

    def metadata_names(self) -> list[str]:
        return [entry.String(entry.Pos + entry.Offset(4)).decode() for entry in self.tables(METADATA)]


def _vector(owner: Any, field: int) -> list[int]:
    """The positions of the elements, each of four bytes; empty if the field is not set."""
    offset = owner.Offset(4 + 2 * field)
    if not offset:
        return []
    return [owner.Vector(offset) + 4 * index for index in range(owner.VectorLen(offset))]


def _tables(owner: Any, field: int) -> list[Any]:
    return [table.Table(owner.Bytes, owner.Indirect(position)) for position in _vector(owner, field)]


def _write_table(builder: Any, fields: Fields) -> int:
    """Write the children, then the table, because a builder writes one object at a time."""
    children = {field: _write(builder, value) for field, value in fields.items() if not isinstance(value, np.generic)}
    builder.StartObject(max(fields, default=-1) + 1)
    for field, value in fields.items():
        if field in children:
            builder.PrependUOffsetTRelativeSlot(field, children[field], 0)
        elif isinstance(value, np.uint32):
            builder.PrependUint32Slot(field, int(value), 0)
        elif isinstance(value, np.uint8):
            builder.PrependUint8Slot(field, int(value), 0)
        else:
            builder.PrependInt8Slot(field, int(value), 0)
    return int(builder.EndObject())


def _write(builder: Any, value: Any) -> int:
    if isinstance(value, _Written):
        return int(value)
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, Mapping):
        return _write_table(builder, value)
    if isinstance(value[0], float):
        return int(builder.CreateNumpyVector(np.array(value, np.float32)))
    return _write_references(builder, [_write(builder, item) for item in value])


def _write_references(builder: Any, parts: Sequence[int]) -> int:
    builder.StartVector(4, len(parts), 4)
    for part in reversed(parts):
        builder.PrependUOffsetTRelative(part)
    return int(builder.EndVector())
