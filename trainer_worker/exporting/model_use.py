"""What a program must know to use a .tflite file of ours. It lies inside the file, so one hash covers both.

The zip at the end of the file (metadata.py) holds it as tfmodel.json, beside labels.txt. The server's own predictions
read it from there (trainer_worker/prediction). manifest.json says the same to people, input_spec.json to apps.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from trainer_worker.project.model_files import LABELS, label_lines

LABELS_FILE = LABELS
USE_FILE = "tfmodel.json"
#: Raise it when an older program would use a newer file wrongly.
USE_VERSION: Literal[1] = 1
#: A thousand labels of 250 characters have less than this.
MOST_USE_BYTES = 1024**2


class UnusableModelError(Exception):
    """A .tflite file does not say how it is used. The message says why."""


class ModelUse(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture becomes the input, and what the output means.

    labels: as in labels.txt, in the order of the output. side_px: of the square input. fit: whether the whole picture
    is squashed into the input, or cut into tiles of its own resolution, which overlap by overlap_px or more.
    grey_scale: of GreyScale.facts. is_mask: whether each pixel gets numbers, instead of the whole picture.
    foreground_above: of a mask with one number a pixel, the number from which on a pixel is foreground.
    unknown_below: if the largest probability is smaller, the picture probably shows none of the labels; 0 for never.
    """

    version: Literal[1] = USE_VERSION
    train_type: str
    labels: tuple[str, ...]
    side_px: Annotated[int, Meta(ge=1, le=8192)]
    is_mask: bool
    fit: Literal["squash", "tiles"] = "squash"
    overlap_px: Annotated[int, Meta(ge=0)] = 0
    grey_scale: Mapping[str, float] = {}
    foreground_above: float = 0.5
    unknown_below: float = 0.0

    @property
    def label_file(self) -> str:
        """The content of labels.txt."""
        return label_lines(self.labels)

    def files(self) -> dict[str, bytes]:
        """What is put into the .tflite file."""
        return {LABELS_FILE: self.label_file.encode(), USE_FILE: msgspec.json.encode(self)}


def as_written(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels as labels.txt has them: one line each, and text that can be encoded."""
    return tuple(label_lines([label])[:-1] for label in labels)


def use_of(model: bytes) -> ModelUse:
    """Read it from a .tflite file. Raises UnusableModelError."""
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            entry = archive.getinfo(USE_FILE)
            if entry.file_size > MOST_USE_BYTES:
                raise UnusableModelError(f"its {USE_FILE} has {entry.file_size} bytes")
            return msgspec.json.decode(archive.read(entry), type=ModelUse)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, NotImplementedError, ValueError) as error:
        raise UnusableModelError(f"it does not say how it is used ({type(error).__name__}: {error})") from error
