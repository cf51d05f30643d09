"""Reads a mask that is stored as a NumPy array (.npy): a header of text, then plain numbers. Nothing is unpickled."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from trainer_worker.pictures.images import MAX_PIXELS
from trainer_worker.pictures.user_files import RefusedFileError, UserFiles

#: Boolean, signed, unsigned and floating numbers.
_KINDS = "biuf"
_MOST_ITEM_BYTES = 8
_MOST_HEADER_BYTES = 10_000


class ArrayHeader(NamedTuple):
    """What the header of the file says. size: (width, height), as of a picture."""

    size: tuple[int, int]
    dtype: Any
    is_by_columns: bool
    data_at: int

    @property
    def load_bytes(self) -> int:
        """The memory for reading the numbers and turning them into a picture of four bytes a pixel."""
        pixels = self.size[0] * self.size[1]
        return pixels * (2 * int(self.dtype.itemsize) + 8)


def read_header(files: UserFiles, path: Path) -> ArrayHeader:
    """Read the header, but no numbers. Raises RefusedFileError for all but a plain array of two dimensions."""
    with files.open(path) as file:
        try:
            version = np.lib.format.read_magic(file)
            read: Any = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }.get(version)
            if read is None:
                raise RefusedFileError("it is no NumPy file of version 1 or 2; save it again by numpy.save")
            shape, is_by_columns, dtype = read(file, max_header_size=_MOST_HEADER_BYTES)
        except RefusedFileError:
            raise
        except Exception as error:  # parsing a damaged header raises almost anything
            raise RefusedFileError("it is no NumPy file, or its header is damaged; save it again") from error
        data_at = file.tell()
        size_bytes = os.fstat(file.fileno()).st_size
    if dtype.kind not in _KINDS or dtype.itemsize > _MOST_ITEM_BYTES:
        raise RefusedFileError("it holds no plain numbers; save it as an array of uint8")
    if len(shape) != 2 or min(shape) < 1:
        raise RefusedFileError(f"its array has the shape {shape}; a mask has two dimensions, height and width")
    height, width = (int(side) for side in shape)
    if height * width > MAX_PIXELS:
        raise RefusedFileError(f"it has more than {MAX_PIXELS // 1_000_000} megapixels, which is the limit")
    if size_bytes < data_at + height * width * dtype.itemsize:
        raise RefusedFileError("it is cut off: it holds fewer numbers than its header says")
    return ArrayHeader((width, height), dtype, bool(is_by_columns), data_at)


def load_array(files: UserFiles, path: Path, header: ArrayHeader) -> Image.Image:
    """The array as a picture of mode L, I;16, I or F. Raises RefusedFileError."""
    width, height = header.size
    size_bytes = math.prod(header.size) * header.dtype.itemsize
    with files.open(path) as file:
        file.seek(header.data_at)
        content = file.read(size_bytes)
    if len(content) < size_bytes:
        raise RefusedFileError("it was cut off while it was read")
    values = np.frombuffer(content, header.dtype).reshape((height, width), order="F" if header.is_by_columns else "C")
    if header.dtype.kind == "f":
        return Image.fromarray(np.ascontiguousarray(values, np.float32))
    low, high = int(values.min()), int(values.max())
    for kind, least, most in ((np.uint8, 0, 255), (np.uint16, 0, 65535), (np.int32, -(2**31), 2**31 - 1)):
        if least <= low and high <= most:
            return Image.fromarray(np.ascontiguousarray(values, kind))
    raise RefusedFileError(f"it holds numbers up to {high}; class numbers are 0 to 255")
