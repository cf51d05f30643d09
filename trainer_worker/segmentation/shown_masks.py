"""The held-out pictures that report.html shows with their masks: the worst ones, and typical ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainer_worker.pictures.images import image_size, read_rgb
from trainer_worker.pictures.small_jpegs import shown_size
from trainer_worker.reporting.overlays import Overlay, pick
from trainer_worker.reporting.picture_book import SIDE_PX
from trainer_worker.segmentation.predictions import MaskPredictor
from trainer_worker.segmentation.record import ScoredMasks, TrainedSegmenter


@dataclass(frozen=True)
class ShownMasks:
    """squares: the held-out squares, (pictures uint8 (n, S, S, 3), truth and found uint8 (n, S, S)), in the order of
    `scored`.

    A model for tiles is scored at the pictures' own size. Such masks were not kept, so those of the shown ones are made
    anew.
    """

    trained: TrainedSegmenter
    predictor: MaskPredictor
    scored: ScoredMasks
    squares: tuple[Any, Any, Any]

    def overlays(self) -> Sequence[Overlay]:
        """The overlays to show. UnreadableImageError or TrainingError if a file was changed during the training."""
        picked = pick(self.scored.scores.dice_per_image)
        return self._of_files(picked) if self.trained.tiles else [self._of_square(number) for number in picked]

    def _of_square(self, number: int) -> Overlay:
        folders = self.trained.data.folders
        path = folders.pairs[self.scored.pairs[number]].picture
        picture, truth, found = (arrays[number] for arrays in self.squares)
        size = image_size(folders.reader, path)
        dice = self.scored.scores.dice_per_image[number]
        return Overlay(folders.name_of(path), dice, picture, truth, found).scaled(size)

    def _of_files(self, picked: Sequence[int]) -> list[Overlay]:
        folders = self.trained.data.folders
        overlays = []
        masks = self.predictor.of_files(folders, self.scored.pairs[picked], lambda done: None)
        for number, (truth, found) in zip(picked, masks, strict=True):
            path = folders.pairs[self.scored.pairs[number]].picture
            height, width = truth.shape
            picture = read_rgb(folders.reader, path, shown_size(height, width, SIDE_PX))
            dice = self.scored.scores.dice_per_image[number]
            overlay = Overlay(folders.name_of(path), dice, picture, truth, found)
            overlays.append(overlay.scaled(image_size(folders.reader, path)))
        return overlays
