"""Small copies of a user's pictures for a page: JPEGs inside data: URIs, bounded in number, size and work."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainer_worker.pictures.images import PictureReader, UnreadableImageError, image_size, read_rgb
from trainer_worker.pictures.small_jpegs import jpeg_of, shown_size
from trainer_worker.reporting.blocks import Picture

#: The longer side of a picture on the page. It is shown at up to this many CSS pixels.
SIDE_PX = 200
QUALITY = 70
#: All pictures together, as text of the page.
MOST_CHARS = 2_000_000
#: The pixels of all JPEGs that are opened for the page, because decoding them takes most of the time. A budget of
#: seconds would not give the same page each time (docs/choices.md, "Pictures in the report").
MOST_PIXELS = 450_000_000
#: JPEGs are decoded at a reduced size. One pixel of any other format takes as long as this many pixels of a JPEG.
COST_OF_OTHERS = 10
_JPEG = (".jpg", ".jpeg")


class PictureBook:
    """Gives the pictures of a page. A file that can't be read any more, or for which no room is left, gives an empty
    one: the page is made all the same.
    """

    def __init__(self, reader: PictureReader, threads: int = 1) -> None:
        self._reader = reader
        self._threads = threads
        self._pixels_left = MOST_PIXELS
        self._chars_left = MOST_CHARS
        self._shown: dict[str, Picture] = {}

    def pictures(self, files: Sequence[str]) -> list[Picture]:
        """The pictures of these files. files: as the project names them, the most important first."""
        new = [file for file in dict.fromkeys(files) if file not in self._shown]
        sizes = [self._size_within_budget(file) for file in new]
        with ThreadPoolExecutor(self._threads, thread_name_prefix="report") as pool:
            for file, pixels in zip(new, pool.map(self._read, new, sizes), strict=True):
                self._shown[file] = Picture() if pixels is None else self.picture(pixels)
        return [self._shown[file] for file in files]

    def picture(self, pixels: npt.NDArray[np.uint8]) -> Picture:
        """A picture of these pixels. pixels: uint8 (h, w, 3), of the size in which it is shown."""
        source = "data:image/jpeg;base64," + base64.b64encode(jpeg_of(pixels, QUALITY)).decode("ascii")
        if len(source) > self._chars_left:
            return Picture()
        self._chars_left -= len(source)
        return Picture(source, pixels.shape[1], pixels.shape[0])

    def _size_within_budget(self, file: str) -> tuple[int, int] | None:
        """(height, width) to read the file at; None if it can't be read or the budget is used up."""
        try:
            height, width = image_size(self._reader, self._path(file))
        except (UnreadableImageError, ValueError):
            return None
        cost = height * width * (1 if file.lower().endswith(_JPEG) else COST_OF_OTHERS)
        if cost > self._pixels_left:
            return None
        self._pixels_left -= cost
        return shown_size(height, width, SIDE_PX)

    def _read(self, file: str, size: tuple[int, int] | None) -> npt.NDArray[np.uint8] | None:
        try:
            return None if size is None else read_rgb(self._reader, self._path(file), size)
        except UnreadableImageError:
            return None

    def _path(self, file: str) -> Path:
        return self._reader.files.project_dir / file
