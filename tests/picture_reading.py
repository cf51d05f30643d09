"""Reading pictures in tests that are about their content: any file of this machine counts as the project's."""

from __future__ import annotations

from pathlib import Path

from trainer_worker.pictures import images
from trainer_worker.pictures.images import WHOLE, Box, PictureReader, Pixels
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation import masks
from trainer_worker.segmentation.classes import FOREGROUND_OR_NOT, Mask, MaskClasses
from trainer_worker.segmentation.set_rule import decide_rule

READER = PictureReader(UserFiles.at(Path("/")))


def read_rgb(path: Path, size: tuple[int, int] | None = None, box: Box = WHOLE) -> Pixels:
    return images.read_rgb(READER, path, size, box)


def image_size(path: Path) -> tuple[int, int]:
    return images.image_size(READER, path)


def read_mask(
    path: Path, size: tuple[int, int], picture: Path | None = None, classes: MaskClasses = FOREGROUND_OR_NOT
) -> Mask:
    """As if the mask were the only one of its set."""
    decided = decide_rule(READER, [(picture or path, path)], classes, 1, lambda: None)
    return masks.read_mask(READER, path, size, decided.rule, picture)
