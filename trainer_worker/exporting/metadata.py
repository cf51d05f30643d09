"""Adds metadata to a .tflite file: a description of its input and its output, and its labels.

The format is TensorFlow Lite Metadata. MediaPipe Tasks, Android Studio and Netron read it, and interpreters ignore it.
It has two parts. The description is a flatbuffer of its own, which becomes one more buffer of the model, under the name
TFLITE_METADATA. The label file lies in an uncompressed zip at the end of the file, beside what our own predictions need
(model_use.py).

LiteRT has Python classes for the schema of a model, but none for the schema of the metadata. The description is
therefore written with a table of the fields that are needed (docs/choices.md, "Metadata of a .tflite file").
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from trainer_worker.exporting.model_description import ModelDescription
from trainer_worker.exporting.model_use import LABELS_FILE, ModelUse

METADATA_NAME = "TFLITE_METADATA"
AUTHOR = "TFModel"
MODEL_IDENTIFIER = b"TFL3"
METADATA_IDENTIFIER = b"M001"
#: The oldest parser that knows every field written here.
MIN_PARSER_VERSION = "1.0.0"

#: The fields of the tables that we write, in the order of metadata_schema.fbs. A union has two fields: its type first.
TABLES = {
    "ModelMetadata": (
        *("name", "description", "version", "subgraph_metadata", "author", "license", "associated_files"),
        "min_parser_version",
    ),
    "SubGraphMetadata": ("name", "description", "input_tensor_metadata", "output_tensor_metadata"),
    "TensorMetadata": (
        *("name", "description", "dimension_names", "content", "process_units", "stats", "associated_files"),
    ),
    "Content": ("content_properties_type", "content_properties", "range"),
    "FeatureProperties": (),
    "ImageProperties": ("color_space", "default_size"),
    "ImageSize": ("width", "height"),
    "ProcessUnit": ("options_type", "options"),
    "NormalizationOptions": ("mean", "std"),
    "Stats": ("max", "min"),
    "AssociatedFile": ("name", "description", "type"),
}

# Values of enums (int8) and types of unions (uint8) in metadata_schema.fbs.
TENSOR_AXIS_LABELS, DESCRIPTIONS = np.int8(2), np.int8(1)
RGB, GRAYSCALE = np.int8(1), np.int8(2)
FEATURE_PROPERTIES, IMAGE_PROPERTIES = np.uint8(1), np.uint8(2)
NORMALIZATION_OPTIONS = np.uint8(1)

#: A flatbuffer table: from a field's number to a text, a numpy scalar (its type tells the width), a table, or a list of
#: tables or of floats.
Fields = Mapping[int, Any]


def describe_tflite(model: bytes, description: ModelDescription, use: ModelUse) -> bytes:
    """Return the .tflite file with metadata, labels and what is needed to use it. Its outputs stay the same.

    model: the content of a file whose one input is a square picture, and which has one output. Raises ValueError if it
    is not a TFLite model or has metadata already.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write_table(builder, _model(description, use.side_px)), METADATA_IDENTIFIER)
    described = add_metadata_buffer(model, METADATA_NAME, bytes(builder.Output()))
    return append_zip(described, use.files())


def add_metadata_buffer(model: bytes, name: str, data: bytes) -> bytes:
    """Return the model with `data` as one more buffer, which its metadata lists as `name`. Raises ValueError as above.

    The model is unpacked and packed again, which takes 0.02 s for 13 MB.
    """
    if model[4:8] != MODEL_IDENTIFIER:
        raise ValueError(f"this is no TFLite model: the file begins with {model[:8]!r}")
    unpacked = schema.ModelT.InitFromPackedBuf(model)
    entries = unpacked.metadata or []
    if any(entry.name == name.encode() for entry in entries):
        raise ValueError(f"the model has {name} already")
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(data, np.uint8)
    entry.name, entry.buffer = name, len(unpacked.buffers)
    unpacked.buffers.append(buffer)
    unpacked.metadata = [*entries, entry]
    builder = flatbuffers.Builder(len(model))
    builder.Finish(unpacked.Pack(builder), MODEL_IDENTIFIER)
    return bytes(builder.Output())


def append_zip(content: bytes, files: Mapping[str, bytes]) -> bytes:
    """`content`, followed by the files as an uncompressed zip whose offsets count from the start of `content`."""
    target = io.BytesIO(content)
    with zipfile.ZipFile(target, "a", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), data)  # ZipInfo always has the time 1980-01-01
    return target.getvalue()


def tensor_names(model: bytes) -> tuple[str, str]:
    """The names of the first input and of the first output, as an interpreter gives them."""
    subgraph = schema.Model.GetRootAs(model).Subgraphs(0)
    first_input, first_output = subgraph.Tensors(subgraph.Inputs(0)), subgraph.Tensors(subgraph.Outputs(0))
    return first_input.Name().decode(), first_output.Name().decode()


def output_shape(model: bytes) -> list[int]:
    """The shape of the first output."""
    subgraph = schema.Model.GetRootAs(model).Subgraphs(0)
    output = subgraph.Tensors(subgraph.Outputs(0))
    return [output.Shape(number) for number in range(output.ShapeLength())]


def _model(description: ModelDescription, side_px: int) -> Fields:
    image = _table(
        "TensorMetadata",
        name="image",
        description="RGB picture, squashed to the input size, values 0 to 255; preprocessing is inside of the model.",
        content=_image(RGB, side_px),
        # (value - 0) / 1. Readers of models with float inputs demand a normalization.
        process_units=[
            _table(
                "ProcessUnit",
                options_type=NORMALIZATION_OPTIONS,
                options=_table("NormalizationOptions", mean=[0.0], std=[1.0]),
            )
        ],
        stats=_table("Stats", max=[255.0], min=[0.0]),
    )
    tensors = _table(
        "SubGraphMetadata", input_tensor_metadata=[image], output_tensor_metadata=[_output(description, side_px)]
    )
    return _table(
        "ModelMetadata",
        name=description.name,
        description=description.purpose,
        subgraph_metadata=[tensors],
        author=AUTHOR,
        min_parser_version=MIN_PARSER_VERSION,
    )


def _output(description: ModelDescription, side_px: int) -> Fields:
    features = _table(
        "Content", content_properties_type=FEATURE_PROPERTIES, content_properties=_table("FeatureProperties")
    )
    labels = _table(
        "AssociatedFile",
        name=LABELS_FILE,
        description=description.labels,
        type=TENSOR_AXIS_LABELS if description.labels_name_outputs else DESCRIPTIONS,
    )
    return _table(
        "TensorMetadata",
        name=description.output,
        description=description.meaning,
        content=_image(GRAYSCALE, side_px) if description.is_mask else features,
        stats=_table("Stats", max=[1.0], min=[0.0]),
        associated_files=[labels],
    )


def _image(color_space: np.int8, side_px: int) -> Fields:
    size = _table("ImageSize", width=np.uint32(side_px), height=np.uint32(side_px))
    properties = _table("ImageProperties", color_space=color_space, default_size=size)
    return _table("Content", content_properties_type=IMAGE_PROPERTIES, content_properties=properties)


def _table(table: str, **fields: Any) -> Fields:
    return {TABLES[table].index(field): value for field, value in fields.items()}


def _write_table(builder: Any, fields: Fields) -> int:
    """Write the table's children and then the table, because a builder writes one object at a time."""
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
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, Mapping):
        return _write_table(builder, value)
    if isinstance(value[0], float):
        return int(builder.CreateNumpyVector(np.array(value, np.float32)))
    tables = [_write_table(builder, item) for item in value]
    builder.StartVector(4, len(tables), 4)
    for table in reversed(tables):
        builder.PrependUOffsetTRelative(table)
    return int(builder.EndVector())
