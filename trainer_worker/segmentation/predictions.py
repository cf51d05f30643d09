"""Predicts masks with a trained model: for pictures of its input size, and for larger ones by tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from trainer_worker.pictures.images import UnreadableImageError, picture_changed
from trainer_worker.segmentation.decisions import BATCH, decide, decide_by_tiles
from trainer_worker.segmentation.folders import MaskFolders
from trainer_worker.segmentation.whole_pair import whole_pair

#: Outputs are kept up to this size, and the exported files are compared with them.
CHECK_MEMORY_BYTES = 512 * 1024**2


class MaskPredictor:
    """model: keras.Model from float32 (n, S, S, 3), RGB 0 to 255, to probabilities (n, S, S, channels)."""

    def __init__(self, model: Any) -> None:
        self._side_px = model.input_shape[1]
        self._kept = max(1, CHECK_MEMORY_BYTES // (4 * int(np.prod(model.output_shape[1:]))))
        self._run = tf.function(
            lambda batch: model(tf.cast(batch, tf.float32), training=False), reduce_retracing=True, autograph=False
        )

    def of_squares(self, pictures: Any) -> tuple[Any, Any]:
        """uint8 (n, S, S, 3) -> class numbers uint8 (n, S, S), and the probabilities float32 (m, S, S, channels) of
        the first ones, m as large as CHECK_MEMORY_BYTES allows."""
        found, probabilities = [], []
        for start, outputs in self._batches(pictures):
            found.append(decide(outputs))
            if start < self._kept:
                probabilities.append(outputs[: self._kept - start])
        return np.concatenate(found), np.concatenate(probabilities)

    def of_whole(self, picture: Any) -> Any:
        """uint8 (h, w, 3), no side below S -> class numbers uint8 (h, w), put together from tiles."""
        return decide_by_tiles(picture, self._side_px, lambda squares: decide(self._run(tf.constant(squares)).numpy()))

    def of_files(self, folders: MaskFolders, pairs: Any, on_step: Callable[[float], None]) -> Iterator[tuple[Any, Any]]:
        """(true mask, found mask) of the pairs with those numbers, at their pictures' own sizes, (h, w) each."""
        for done, number in enumerate(pairs, start=1):
            try:
                with whole_pair(folders, folders.pairs[number], self._side_px) as (picture, truth):
                    found = self.of_whole(picture)
            except UnreadableImageError as error:
                raise picture_changed(error) from error
            yield truth, found
            on_step(done / len(pairs))

    def _batches(self, pictures: Any) -> Iterator[tuple[int, Any]]:
        for start in range(0, len(pictures), BATCH):
            yield start, self._run(tf.constant(pictures[start : start + BATCH])).numpy()
