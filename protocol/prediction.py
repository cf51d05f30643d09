"""What the front-end and a runtime process say to each other: what is to be done with which pictures.

A runtime process (trainer_worker/prediction) reads frames from its input and writes frames to its output. A frame is
the length of a message, as four bytes, and the message in msgpack. The first frame holds RuntimeLimits, each of the
others an Order: a model is to answer for pictures, or thumbnails are to be made of them. The process answers an Order
with Ready or ModelRefused. After Ready there is one answer for each picture, in the order of the pictures and as soon
as it is known. So the front-end knows which picture the process was busy with when it died.
"""

from __future__ import annotations

import struct
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from protocol.artifact import Artifact, Sha256
from protocol.bounds import Error, Text, Whole, Word
from protocol.sizes import MB
from protocol.task import TaskSpec

#: The length of the message that follows.
HEAD = struct.Struct(">I")
#: The largest file of a picture, sent or in a project folder.
MOST_PICTURE_BYTES = 20 * MB
#: The largest file of which a thumbnail is made.
MOST_SHOWN_BYTES = 200 * MB
MOST_THUMBNAIL_PX = 1024
#: The pictures of one Order.
MOST_PICTURES = 8
#: An answer holds one mask at most, which is a PNG of at most 100 megapixels in few colours.
MOST_ANSWER_BYTES = 128 * 1024**2


class ModelFile(msgspec.Struct, frozen=True, tag="model"):
    """The work of predicting: a .tflite file in the model folder of a task, and the hash that the journal has of it.

    copy: the absolute path of a copy of the file, if the project lies in object storage; else "".
    """

    spec: TaskSpec
    artifact: Artifact
    copy: Text = ""


class Thumbnails(msgspec.Struct, frozen=True, tag="thumbnails"):
    """The work of making small JPEGs, whose longer side has at most side_px.

    spec: the task in whose project folder the pictures lie; None if they are named by their absolute paths.
    """

    side_px: Annotated[int, Meta(ge=1, le=MOST_THUMBNAIL_PX)]
    spec: TaskSpec | None = None


Work = ModelFile | Thumbnails


class RuntimeLimits(msgspec.Struct, frozen=True):
    """allowed_roots: the folders that pictures and projects must lie in, absolute and with links resolved.

    copies: the folder that copies of objects must lie in; "" if there are none.
    models_bytes: the memory for models that are kept loaded. threads: that run a model. picture_s: the seconds after
    which a process that still predicts for one picture, or loads a model, ends itself. thumbnail_s: the same for the
    thumbnail of one picture.
    """

    allowed_roots: tuple[str, ...]
    copies: Text
    models_bytes: Whole
    threads: Annotated[int, Meta(ge=1, le=1024)]
    picture_s: Annotated[float, Meta(gt=0)]
    thumbnail_s: Annotated[float, Meta(gt=0)]

    def step_s(self, work: Work) -> float:
        """The limit for one step of that work."""
        return self.thumbnail_s if isinstance(work, Thumbnails) else self.picture_s


class SentPicture(msgspec.Struct, frozen=True, tag="sent"):
    """A picture that came with the call. name: such as its file name."""

    name: Text
    content: bytes


class FolderPicture(msgspec.Struct, frozen=True, tag="folder"):
    """A picture on the disk. name: its path in the project folder of the work's task, or absolute if there is none.

    copy: as for ModelFile.
    """

    name: Text
    copy: Text = ""


Picture = SentPicture | FolderPicture


class Order(msgspec.Struct, frozen=True):
    work: Work
    pictures: Annotated[tuple[Picture, ...], Meta(min_length=1, max_length=MOST_PICTURES)]


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """The pictures are next. loaded: the hashes of all models that the process holds now."""

    loaded: tuple[Sha256, ...]


class ModelRefused(msgspec.Struct, frozen=True, tag="model_refused"):
    """The model can't be used, so no picture gets an answer. code: one of REFUSAL_CODES."""

    code: Word
    error: Error


class LabelProbability(msgspec.Struct, frozen=True):
    label: str
    probability: float


class LabelShare(msgspec.Struct, frozen=True):
    """share: of the picture's pixels, 0 to 1."""

    label: str
    share: float


class Labels(msgspec.Struct, frozen=True, tag="labels"):
    """The answer of a model for whole pictures. labels: all of them, in the order of labels.txt.

    unknown: whether the picture probably shows none of them.
    """

    labels: tuple[LabelProbability, ...]
    unknown: bool


class Mask(msgspec.Struct, frozen=True, tag="mask"):
    """The answer of a model for pixels.

    png: as large as the upright picture; a pixel's value is the number of its class, and the palette shows the classes
    in different colours. shares: of all classes, in the order of labels.txt.
    """

    png: bytes
    width: int
    height: int
    shares: tuple[LabelShare, ...]


class Thumbnail(msgspec.Struct, frozen=True, tag="thumbnail"):
    jpeg: bytes


class PictureRefused(msgspec.Struct, frozen=True, tag="picture_refused"):
    """A picture that gets no answer. code: one of REFUSAL_CODES."""

    code: Word
    error: Error


PredictionAnswer = Labels | Mask | PictureRefused
ThumbnailAnswer = Thumbnail | PictureRefused
PictureAnswer = Labels | Mask | Thumbnail | PictureRefused
RuntimeAnswer = Ready | ModelRefused | Labels | Mask | Thumbnail | PictureRefused

Message = TypeVar("Message")


def framed(message: msgspec.Struct) -> tuple[bytes, bytes]:
    """The two parts of a frame: the length, and the message."""
    body = msgspec.msgpack.encode(message)
    return HEAD.pack(len(body)), body


def unframed(body: bytes, message_type: type[Message]) -> Message:
    """The message of a frame. Raises msgspec.MsgspecError."""
    return msgspec.msgpack.decode(body, type=message_type)
