"""Metadata in .tflite files, read back by the field numbers of the published schemas."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from flatbuffers import encode, packer, table

from tests.unit.small_tflite import small_tflite
from trainer_worker.classification import kind as classification
from trainer_worker.exporting.metadata import add_metadata_buffer, append_zip, describe_tflite, tensor_names
from trainer_worker.exporting.model_use import ModelUse, UnusableModelError, as_written, use_of
from trainer_worker.segmentation import kind as segmentation

CLASSIFICATION, SEGMENTATION = classification.PRESENTATION.description, segmentation.FOREGROUND.description

LABELS = "daisy\nrose\ntürkisch\n"


def use(side_px: int, *labels: str) -> ModelUse:
    names = labels or tuple(LABELS.splitlines())
    return ModelUse(train_type="classification", labels=names, side_px=side_px, is_mask=bool(labels))


def root(content: bytes) -> Any:
    return table.Table(content, encode.Get(packer.uoffset, content, 0))


def parts(owner: Any, field: int) -> list[Any]:
    offset = owner.Offset(4 + 2 * field)
    if not offset:
        return []
    start = owner.Vector(offset)
    return [table.Table(owner.Bytes, owner.Indirect(start + 4 * index)) for index in range(owner.VectorLen(offset))]


def part(owner: Any, field: int) -> Any:
    return table.Table(owner.Bytes, owner.Indirect(owner.Pos + owner.Offset(4 + 2 * field)))


def text(owner: Any, field: int) -> str:
    return str(owner.String(owner.Pos + owner.Offset(4 + 2 * field)).decode())


def number(owner: Any, field: int, kind: Any = packer.uint8) -> int:
    offset = owner.Offset(4 + 2 * field)
    return int(encode.Get(kind, owner.Bytes, owner.Pos + offset)) if offset else 0


def content_of(buffer: Any) -> bytes:
    offset = buffer.Offset(4)
    start = buffer.Vector(offset)
    return bytes(buffer.Bytes[start : start + buffer.VectorLen(offset)])


def metadata_of(model: bytes) -> Any:
    """The root of the metadata, found as the standard says: by name, by way of the number of its buffer."""
    entries = {text(entry, 0): number(entry, 1, packer.uint32) for entry in parts(root(model), 6)}
    data = content_of(parts(root(model), 4)[entries["TFLITE_METADATA"]])
    assert data[4:8] == b"M001"
    return root(data)


def test_a_classifier_says_what_it_takes_and_gives() -> None:
    metadata = metadata_of(describe_tflite(small_tflite(), CLASSIFICATION, use(224)))

    (subgraph,) = parts(metadata, 3)
    (image,), (output,) = parts(subgraph, 2), parts(subgraph, 3)
    content = part(image, 3)
    assert number(content, 0) == 2  # ImageProperties
    assert number(part(content, 1), 0) == 1  # RGB
    size = part(part(content, 1), 1)
    assert [number(size, field, packer.uint32) for field in (0, 1)] == [224, 224]
    (unit,) = parts(image, 4)
    assert number(unit, 0) == 1  # NormalizationOptions
    mean, deviation = (part(unit, 1).Vector(part(unit, 1).Offset(offset)) for offset in (4, 6))
    assert [encode.Get(packer.float32, image.Bytes, position) for position in (mean, deviation)] == [0.0, 1.0]
    (file,) = parts(output, 6)
    assert (text(file, 0), number(file, 2)) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS


def test_a_segmenters_two_labels_are_not_labels_of_its_one_channel() -> None:
    metadata = metadata_of(describe_tflite(small_tflite(), SEGMENTATION, use(96, "background", "foreground")))

    (output,) = parts(parts(metadata, 3)[0], 3)
    assert number(part(part(output, 3), 1), 0) == 2  # GRAYSCALE
    assert number(parts(output, 6)[0], 2) == 1  # DESCRIPTIONS


def test_a_segmenters_classes_are_the_labels_of_its_channels() -> None:
    description = segmentation.KIND.presentation(3).description
    metadata = metadata_of(describe_tflite(small_tflite(), description, use(96, "background", "red", "blue")))

    (output,) = parts(parts(metadata, 3)[0], 3)
    assert "each class" in text(output, 1)
    assert "foreground" not in text(metadata, 1) + text(output, 0) + text(output, 1)
    assert number(part(part(output, 3), 1), 0) == 2  # GRAYSCALE
    assert number(parts(output, 6)[0], 2) == 2  # TENSOR_AXIS_LABELS


def test_the_labels_can_be_unzipped_from_the_model() -> None:
    described = describe_tflite(small_tflite(), CLASSIFICATION, use(64))

    with zipfile.ZipFile(io.BytesIO(described)) as archive:
        assert archive.namelist() == ["labels.txt", "tfmodel.json"]
        assert archive.read("labels.txt").decode() == LABELS
        assert archive.testzip() is None
        # Readers on phones map them into memory.
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert described == describe_tflite(small_tflite(), CLASSIFICATION, use(64))


@pytest.mark.parametrize("length", [1, 8, 13, 4096])
def test_all_that_was_in_the_model_stays_in_it(length: int) -> None:
    weights = bytes(index % 251 for index in range(length))
    model = small_tflite(weights) + bytes(length % 16)  # converters' files are of any length

    described = add_metadata_buffer(model, "NAME", b"data")

    assert described[4:8] == b"TFL3"
    buffers = parts(root(described), 4)
    assert [content_of(buffer) for buffer in buffers[1:]] == [weights, b"data"]
    assert number(root(described), 0, packer.uint32) == 3
    assert text(root(described), 3) == "small"
    assert [text(entry, 0) for entry in parts(root(described), 6)] == ["other", "NAME"]
    assert tensor_names(described) == tensor_names(model) == ("image", "scores")


def test_what_it_does_not_know_it_leaves_alone() -> None:
    with pytest.raises(ValueError, match="no TFLite model"):
        describe_tflite(b"\x00" * 64, CLASSIFICATION, use(64))
    described = add_metadata_buffer(small_tflite(), "TFLITE_METADATA", b"earlier")
    with pytest.raises(ValueError, match="already"):
        describe_tflite(described, CLASSIFICATION, use(64))


def test_a_described_model_says_how_it_is_used() -> None:
    wanted = ModelUse(
        train_type="segmentation",
        labels=as_written(["back\nground", "tür"]),
        side_px=96,
        is_mask=True,
        fit="tiles",
        overlap_px=24,
        grey_scale={"white": 4095.0},
        foreground_above=0.4,
        unknown_below=0.3,
    )

    assert use_of(describe_tflite(small_tflite(), SEGMENTATION, wanted)) == wanted
    assert wanted.labels == ("back ground", "tür")
    assert wanted.label_file == "back ground\ntür\n"


@pytest.mark.parametrize("content", [b"", small_tflite(), small_tflite() + b"PK\x05\x06"])
def test_a_file_that_does_not_say_how_it_is_used_is_told(content: bytes) -> None:
    with pytest.raises(UnusableModelError, match="does not say how it is used"):
        use_of(content)


def test_a_file_of_a_later_version_is_not_used_wrongly() -> None:
    later = append_zip(small_tflite(), {"tfmodel.json": b'{"version": 2, "train_type": "x"}'})

    with pytest.raises(UnusableModelError):
        use_of(later)
