"""Writes held_out_masks.json into the folder of a segmenter that is about to be published.

It has the masks that report.html shows, as numbers instead of colours over a photo, so that a page can lay them over
the photo itself. It holds no photo.
"""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Callable, Sequence

import msgspec
from PIL import Image

from protocol.text import as_utf8
from trainer_worker.project.model_files import HELD_OUT_MASKS
from trainer_worker.publishing.app_pack import FinishedModel
from trainer_worker.reporting.overlays import UNLABELLED, Overlay, Pixels, colour_of

#: MOST_OVERLAYS pictures with two masks of 200 x 200 pixels each. Masks of noise, which PNG can't shrink, take 0.7 MB.
MOST_BYTES = 1024**2
BACKGROUND_COLOUR, UNLABELLED_COLOUR = (0, 0, 0), (255, 255, 255)

log = logging.getLogger(__name__)


class ShownPicture(msgspec.Struct, frozen=True):
    """One held-out picture. picture: as the project names it. score: its Dice. width, height: of both masks, in pixels.

    truth, predicted: PNGs in base64. The palette index of a pixel is the number of its class, or UNLABELLED.
    """

    picture: str
    score: float
    width: int
    height: int
    truth: str
    predicted: str


class ShownMasksFile(msgspec.Struct, frozen=True):
    """The content of the file. colors: of each label, as #rrggbb, no two the same."""

    labels: list[str]
    colors: list[str]
    pictures: list[ShownPicture]


def add_masks(model: FinishedModel, overlays: Callable[[], Sequence[Overlay]]) -> None:
    """Write the file, or add a warning to the manifest that says why there is none. A model without masks gets neither.

    overlays: see Publication.
    """
    target, manifest = model.folder / HELD_OUT_MASKS, model.manifest
    try:
        if shown := overlays():
            target.write_bytes(_content(manifest["labels"], shown))
    except Exception as error:
        log.warning("action=model.no_mask_file task=%s", manifest.get("task_id"), exc_info=True)
        target.unlink(missing_ok=True)
        warning = f"There is no {HELD_OUT_MASKS} ({type(error).__name__}: {error}); the model is complete."
        manifest["warnings"] = [*manifest["warnings"], warning]


def _content(labels: Sequence[str], overlays: Sequence[Overlay]) -> bytes:
    colours = [BACKGROUND_COLOUR, *(colour_of(number) for number in range(1, len(labels)))]
    palette = bytes(channel for colour in colours for channel in colour)
    palette += bytes(UNLABELLED_COLOUR * (UNLABELLED + 1 - len(colours)))
    pictures = [
        ShownPicture(
            picture=as_utf8(overlay.file),
            score=overlay.score,
            width=overlay.truth.shape[1],
            height=overlay.truth.shape[0],
            truth=_png(overlay.truth, palette),
            predicted=_png(overlay.predicted, palette),
        )
        for overlay in overlays
    ]
    names = [as_utf8(label) for label in labels]
    content = ShownMasksFile(names, ["#{:02x}{:02x}{:02x}".format(*colour) for colour in colours], pictures)
    encoded = msgspec.json.encode(content)
    if len(encoded) > MOST_BYTES:
        raise ValueError(f"it would have {len(encoded)} bytes, and {MOST_BYTES} are allowed")
    return encoded


def _png(mask: Pixels, palette: bytes) -> str:
    image = Image.fromarray(mask, "L")
    image.putpalette(palette)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
