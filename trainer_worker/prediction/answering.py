"""From a picture to the model's answer, or to a thumbnail.

A picture becomes the model's input exactly as in its training.
"""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from protocol.bounds import MAX_ERROR_CHARS, shortened
from protocol.prediction import (
    LabelProbability,
    Labels,
    LabelShare,
    Mask,
    PictureRefused,
    PredictionAnswer,
    Thumbnail,
    ThumbnailAnswer,
)
from protocol.text import as_utf8
from trainer_worker.pictures.decoding_budget import MOST_BYTES_OF_A_PICTURE, UNLIMITED, DecodingBudget
from trainer_worker.pictures.grey_scale import scale_of
from trainer_worker.pictures.images import (
    PictureReader,
    UnreadableImageError,
    image_size,
    read_rgb,
    rgb_bytes,
)
from trainer_worker.pictures.small_jpegs import jpeg_of, shown_size
from trainer_worker.prediction.models import LoadedModel
from trainer_worker.prediction.one_picture import OnePicture
from trainer_worker.segmentation.decisions import decide, decide_by_tiles
from trainer_worker.segmentation.tiles import tiled_size

#: The memory for reading one picture. A process reads one at a time, as a training does within its own budget.
BUDGET_BYTES = MOST_BYTES_OF_A_PICTURE
#: A mask compresses well at any level, and at this one quickly.
PNG_LEVEL = 1
#: Of the JPEG of a thumbnail.
THUMBNAIL_QUALITY = 80
#: Bytes of a palette: three for each of 256 classes.
PALETTE_BYTES = 768


def answer(model: LoadedModel, picture: OnePicture, name: str) -> PredictionAnswer:
    """The model's answer for a picture. name: of the picture, for messages."""
    reader = PictureReader(picture, DecodingBudget(BUDGET_BYTES), scale_of(model.use.grey_scale))
    path = path_for_messages(name)
    try:
        return _mask(model, reader, path) if model.use.is_mask else _labels(model, reader, path)
    except UnreadableImageError as error:
        return unusable(error)


def thumbnail(side_px: int, picture: OnePicture, name: str) -> ThumbnailAnswer:
    """A small JPEG of the picture, upright. name: of the picture, for messages."""
    reader, path = PictureReader(picture, DecodingBudget(BUDGET_BYTES)), path_for_messages(name)
    try:
        pixels = read_rgb(reader, path, shown_size(*image_size(reader, path), side_px))
    except UnreadableImageError as error:
        return unusable(error)
    return Thumbnail(jpeg_of(pixels, THUMBNAIL_QUALITY))


def path_for_messages(name: str) -> Path:
    return Path("/") / (as_utf8(name).replace("\0", "").split("/")[-1] or "picture")


def unusable(error: UnreadableImageError) -> PictureRefused:
    sentence = f"The picture can't be used: {error.reason}."
    return PictureRefused("bad_picture", shortened(sentence, MAX_ERROR_CHARS))


def _labels(model: LoadedModel, reader: PictureReader, path: Path) -> Labels:
    use = model.use
    square = read_rgb(reader, path, (use.side_px, use.side_px))
    numbers = [float(number) for number in _outputs(model, square[np.newaxis])[0]]
    labels = tuple(LabelProbability(*pair) for pair in zip(use.labels, numbers, strict=True))
    return Labels(labels, unknown=max(numbers) < use.unknown_below)


def _mask(model: LoadedModel, reader: PictureReader, path: Path) -> Mask:
    use, side = model.use, model.use.side_px
    height, width = image_size(reader, path)

    def decisions(squares: Any) -> Any:
        return np.concatenate([decide(_outputs(model, square[np.newaxis]), use.foreground_above) for square in squares])

    if use.fit == "tiles":
        found = decide_by_tiles(_whole(reader, path, (height, width), side), side, decisions, use.overlap_px)
    else:
        (found,) = decisions(read_rgb(reader, path, (side, side))[np.newaxis])
    # The shares are counted before the mask gets the picture's size, which would only round them.
    pixels = np.bincount(found.ravel(), minlength=len(use.labels)) / found.size
    shares = tuple(LabelShare(label, float(share)) for label, share in zip(use.labels, pixels, strict=True))
    image = Image.fromarray(found)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.NEAREST)
    return Mask(_png(image, len(use.labels)), width, height, shares)


def _whole(reader: PictureReader, path: Path, size: tuple[int, int], side_px: int) -> Any:
    """The picture at its own size, but no side shorter than side_px, as trainings with tiles read it."""
    height, width = tiled_size(*size, side_px)
    pixels, most = height * width, reader.budget.most_bytes
    # The picture and the mask are kept while the tiles are run.
    needed = max(4 * pixels, rgb_bytes(reader, path, (height, width)))
    if needed > most:
        raise UnreadableImageError(
            path,
            f"at its own size, which this model works at, it has {pixels / 1e6:.1f} megapixels and takes "
            f"{needed // 1024**2:,} MB of memory, of which {most // 1024**2} may be used; save it smaller",
        )
    return read_rgb(dataclasses.replace(reader, budget=UNLIMITED), path, (height, width))


def _outputs(model: LoadedModel, squares: Any) -> Any:
    return model.run(squares.astype(np.float32))


def _png(mask: Image.Image, classes: int) -> bytes:
    mask.putpalette(palette(classes))
    file = io.BytesIO()
    mask.save(file, "PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def palette(classes: int) -> list[int]:
    """Colours for the classes, background black: those of PASCAL VOC, which differ well also for neighbouring numbers.

    If there are two classes, foreground is white.
    """
    if classes <= 2:
        return [0, 0, 0, 255, 255, 255]
    return [_voc_channel(number, channel) for number in range(classes) for channel in range(3)][:PALETTE_BYTES]


def _voc_channel(number: int, channel: int) -> int:
    """Every third bit of the number, from the channel's on, becomes the next lower bit of the colour."""
    return sum(((number >> (3 * place + channel)) & 1) << (7 - place) for place in range(3))
