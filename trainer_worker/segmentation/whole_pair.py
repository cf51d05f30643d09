"""Reads a picture and its mask at their own size, to be cut into tiles."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from trainer_worker.pictures.decoding_budget import UNLIMITED
from trainer_worker.pictures.images import UnreadableImageError, image_size, read_rgb
from trainer_worker.segmentation.mask_sources import MaskedPicture, read_mask_of, whole_bytes_of
from trainer_worker.segmentation.tile_choice import MaskedSet
from trainer_worker.segmentation.tiles import tiled_size


@contextlib.contextmanager
def whole_pair(masked: MaskedSet, pair: MaskedPicture, side_px: int) -> Iterator[tuple[Any, Any]]:
    """A picture uint8 (h, w, 3) and its mask uint8 (h, w) at the picture's own size, with no side below side_px.

    Memory for both is reserved while the block runs. Raises UnreadableImageError, UnknownClassError.
    """
    reader = masked.reader
    size = tiled_size(*image_size(reader, pair.picture), side_px)
    pixels, most = size[0] * size[1], reader.budget.most_bytes
    needed = whole_bytes_of(reader, pair, size)
    if needed > most:
        raise UnreadableImageError(
            pair.picture,
            f"at its own size, for tiles, it has {pixels / 1e6:.1f} megapixels and takes {needed // 1024**2:,} MB of "
            f"memory with its mask, of which {most // 1024**2} may be used; cut it into smaller pictures",
        )
    with reader.budget.reserved(needed):
        granted = dataclasses.replace(reader, budget=UNLIMITED)
        picture = read_rgb(granted, pair.picture, size)
        yield picture, read_mask_of(granted, pair, size, masked.meaning)
