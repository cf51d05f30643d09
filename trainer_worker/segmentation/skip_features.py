"""The frozen encoder's features of mirrored and turned views, kept in memory as far as there is room.

The encoder never changes. So the features of a view are computed when it is first drawn and reused whenever it comes
again, and most epochs run only the decoder (docs/choices.md, "Views of a picture in memory").
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_worker.segmentation.views import picture_in

#: The encoder's features are kept up to this size (docs/choices.md, "Views of a picture in memory").
FEATURES_MEMORY_BYTES = 2 * 1024**3
ENCODER_BATCH = 16


class SkipFeatures:
    """Features of pictures by (row, view).

    encoder: keras.Model from float32 (n, S, S, 3), RGB 0 to 255, to a list of feature maps.
    pictures: uint8 (n, S, S, 3).
    memory_bytes: how much may be kept (as float16); views beyond it are computed again every time.
    """

    def __init__(self, encoder: Any, pictures: Any, memory_bytes: int) -> None:
        self._pictures = pictures
        self._bytes_left = memory_bytes
        self._kept: dict[tuple[int, int], list[Any]] = {}
        signature = tf.TensorSpec((None, *pictures.shape[1:]), tf.uint8)
        self._encode = tf.function(
            lambda batch: [tf.cast(x, tf.float16) for x in encoder(tf.cast(batch, tf.float32), training=False)],
            input_signature=[signature],
            autograph=False,
        )

    def batches(self, wanted: Sequence[tuple[Any, Any]]) -> Iterator[list[Any]]:
        """Feature maps of each batch in turn: a list of float16 arrays (n, h, w, c), one per endpoint of the encoder.

        wanted: rows and views of each batch, int arrays (n,). Missing views are encoded together with those that later
        batches will miss, because the encoder is slower for single pictures than for batches.
        """
        keys_of = [list(zip(rows.tolist(), views.tolist(), strict=True)) for rows, views in wanted]
        ahead: dict[tuple[int, int], list[Any]] = {}
        for number, keys in enumerate(keys_of):
            if any(self._is_missing(key, ahead) for key in keys):
                ahead.update(self._encoded(self._next_missing(keys, keys_of[number + 1 :], ahead)))
            features = [ahead[key] if key in ahead else self._kept[key] for key in keys]
            yield [np.stack(maps) for maps in zip(*features, strict=True)]
            for key in dict.fromkeys(keys):
                if key in ahead:
                    self._keep(key, ahead.pop(key))

    def _is_missing(self, key: tuple[int, int], ahead: Container[tuple[int, int]]) -> bool:
        return key not in self._kept and key not in ahead

    def _next_missing(
        self,
        keys: Sequence[tuple[int, int]],
        later: Sequence[Sequence[tuple[int, int]]],
        ahead: Container[tuple[int, int]],
    ) -> list[tuple[int, int]]:
        """The missing views of `keys`, and as many of `later` as fill up the encoder's last batch."""
        missing = [key for key in dict.fromkeys(keys) if self._is_missing(key, ahead)]
        places = -(-len(missing) // ENCODER_BATCH) * ENCODER_BATCH
        coming = (key for batch in later for key in batch if self._is_missing(key, ahead))
        return list(dict.fromkeys(itertools.chain(missing, itertools.islice(coming, places - len(missing)))))

    def _encoded(self, keys: Sequence[tuple[int, int]]) -> dict[tuple[int, int], list[Any]]:
        fresh: dict[tuple[int, int], list[Any]] = {}
        for start in range(0, len(keys), ENCODER_BATCH):
            some = keys[start : start + ENCODER_BATCH]
            pixels = np.stack([picture_in(view, self._pictures[row], row) for row, view in some])
            maps = [x.numpy() for x in self._encode(tf.constant(pixels))]
            fresh.update((key, [x[position] for x in maps]) for position, key in enumerate(some))
        return fresh

    def _keep(self, key: tuple[int, int], maps: list[Any]) -> None:
        size_bytes = sum(x.nbytes for x in maps)
        if size_bytes <= self._bytes_left:
            self._bytes_left -= size_bytes
            self._kept[key] = [x.copy() for x in maps]  # a slice would keep its whole batch alive
