"""Reading pictures in tests that are about their content: any file of this machine counts as the project's."""

from __future__ import annotations

from pathlib import Path

from trainer_worker.pictures import images
from trainer_worker.pictures.images import WHOLE, Box, PictureReader, Pixels
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation import masks
from trainer_worker.segmentation.classes import FOREGROUND_OR_NOT, Mask, MaskClasses

READER = PictureReader(UserFiles.at(Path("/")))


def read_rgb(path: Path, size: tuple[int, int] | None = None, box: Box = WHOLE) -> Pixels:
    return images.read_rgb(READER, path, size, box)


def image_size(path: Path) -> tuple[int, int]:
    return images.image_size(READER, path)


def read_mask(
    path: Path, size: tuple[int, int], picture: Path | None = None, classes: MaskClasses = FOREGROUND_OR_NOT
) -> Mask:
    return masks.read_mask(READER, path, size, picture, classes)
