"""Pictures from a user's folder as RGB arrays: whatever Pillow reads, or a plain word on why not (no TensorFlow)."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import math
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

#: A picture whose header claims more pixels than this is refused before any of them is decoded: so many
#: already take 400 MB, in each decoding thread.
MAX_PIXELS = 100_000_000

#: Decoded pictures wait for at most this many batches ahead of the consumer.
LOOK_AHEAD_BATCHES = 2

#: Files that come along with a folder but that nobody means as a picture. Everything else stays a candidate,
#: also without an extension or with a wrong one: the content decides.
LITTER_SUFFIXES = {
    ".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf",
    ".md", ".log", ".html", ".htm", ".py", ".pyc", ".ipynb", ".sh", ".bat", ".pdf", ".doc", ".docx", ".xls",
    ".xlsx", ".ppt", ".pptx", ".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".db", ".sqlite",
    ".lnk", ".url", ".exe", ".dll", ".so", ".tmp", ".part", ".crdownload", ".bak", ".lock", ".npy", ".npz",
    ".pkl", ".pickle", ".h5", ".hdf5", ".keras", ".tflite", ".pb", ".onnx", ".pt", ".pth", ".parquet",
    ".tfrecord", ".mp4", ".mov", ".avi", ".mkv", ".webm", ".mp3", ".wav", ".aae", ".xmp", ".thm", ".svg",
    ".ai", ".eps", ".ps",
}  # fmt: skip
LITTER_NAMES = {"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "@eadir", "readme", "license"}

#: The ranges that grey values of more than 8 bits come in: 8, 12, 16 and 31 bits.
GREY_RANGES = (255.0, 4095.0, 65535.0, 2147483647.0)

Pixels = npt.NDArray[np.uint8]

#: A part of a picture: left, top, right, bottom, as shares (0 to 1) of its width and height.
Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

# Pillow finds its decoders on first use, which is not made for several threads at once; and it reports oddities
# of a file (broken EXIF, trailing bytes) as warnings, one per file, that would fill the worker's log.
Image.init()
warnings.filterwarnings("ignore", module=r"PIL\..*")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNS_THAT_SWAP_SIDES = frozenset({5, 6, 7, 8})


class UnreadableImageError(Exception):
    """A file that can't be used as a picture. `reason` is a short sentence for the person who sent it."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path.name}: {reason}")
        self.path = path
        self.reason = reason


def find_images(folder: Path, recursive: bool = False) -> list[Path]:
    """The files of a folder that may be pictures, sorted by path; empty if there is no such folder.

    Folder litter is left out (hidden files, `__MACOSX`, `Thumbs.db`, texts, archives, ...). Links to files outside
    of `folder` and links to folders are not followed.
    """
    root = folder.resolve()
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_litter(name)) if recursive else []
        paths = (Path(parent, name) for name in files if not _is_litter(name))
        found += (path for path in paths if _is_file_inside(path, root))
    return sorted(found)


def _is_litter(name: str) -> bool:
    lower = name.lower()
    return (
        lower.startswith(".")
        or lower.endswith("~")
        or lower in LITTER_NAMES
        or os.path.splitext(lower)[1] in LITTER_SUFFIXES  # noqa: PTH122 - a name, and called for every file
    )


def _is_file_inside(path: Path, root: Path) -> bool:
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        return False
    return path.is_file()  # not a pipe or a device, which would block the reader


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels as the picture is meant to be seen, EXIF orientation applied.

    Read from the header (a PNG is decoded, since its EXIF block may come last). Raises UnreadableImageError.
    """
    try:
        with _open(path) as image:
            width, height = image.size
            # A TIFF's size is already given as seen.
            swapped = image.format != "TIFF" and _orientation(image) in _TURNS_THAT_SWAP_SIDES
    except Exception as error:
        raise _unreadable(path, error) from error
    return (width, height) if swapped else (height, width)


def read_rgb(path: Path, size: tuple[int, int] | None = None, box: Box = WHOLE) -> Pixels:
    """Decode a picture to uint8 (height, width, 3).

    size: (height, width) to squash the picture to, smoothed where it shrinks; None keeps its own.
    box: the part to take, as the file stores it (before EXIF turns it); only with a size.
    The first frame of animations and multi-page files; EXIF orientation honoured; transparency laid on white;
    CMYK converted; grey values of more than 8 bits scaled. May be called from several threads at once.
    Raises UnreadableImageError.
    """
    try:
        with _open(path) as image:
            if size is not None:
                # JPEG can be decoded at 1/2, 1/4, 1/8: four times faster for a 12-megapixel photo and on average
                # 0.6 of 255 grey levels away from shrinking the whole. Not for sides that may still be swapped.
                least = math.ceil(max(size) / min(box[2] - box[0], box[3] - box[1]))
                image.draft(None, (least, least))
            image.load()
            turn = _orientation(image)  # after load, which turns TIFF pictures by itself and clears the tag
            picture = _to_rgb(image)
            if size is not None:
                height, width = size if turn not in _TURNS_THAT_SWAP_SIDES else size[::-1]
                across, down = picture.size
                part = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
                picture = picture.resize((width, height), Image.Resampling.BILINEAR, box=part)
            if turn in _TURNS:
                picture = picture.transpose(_TURNS[turn])
            return np.asarray(picture)
    except MemoryError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error


class _RefusedError(Exception):
    """Its text is the reason, already in plain words."""


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    # By an open file, not by name: Pillow maps an uncompressed TIFF that it opens by name into memory, and then
    # scrambles it when its EXIF block asks for a quarter turn.
    with path.open("rb") as file, Image.open(file) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Image.DecompressionBombError
        if image.format == "EPS":  # would start Ghostscript to run the file as a program
            raise _RefusedError("EPS drawings are not supported; save it as PNG or JPEG")
        yield image


def _orientation(image: Image.Image) -> int:
    if image.format == "JPEG" and not {"exif", "xmp"} & image.info.keys():
        return 1  # looking for it in vain would take a tenth of the time that a small photo takes
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except OSError:
        raise  # reading on (a PNG's EXIF block may stand last) found the picture itself damaged
    except Exception:
        return 1  # a broken EXIF block says nothing about the pixels


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _deep_grey_to_rgb(image)
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(colours, mask=colours.getchannel("A"))
        return page
    return image if image.mode == "RGB" else image.convert("RGB")


def _deep_grey_to_rgb(image: Image.Image) -> Image.Image:
    """Scale 16-bit, 32-bit and float grey to 8 bits.

    The scale is the smallest usual range that holds the brightest value, never the picture's own contrast, so
    pictures of one camera stay comparable. The file type's range alone will not do: cameras that write 12 bits
    into 16 would come out nearly black. Floats that stay within 0..1 have that range. Negative values become 0.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    brightest = float(values.max())
    ranges = (1.0, *GREY_RANGES) if image.mode == "F" else GREY_RANGES
    top = next((limit for limit in ranges if brightest <= limit), brightest)
    grey: Pixels = np.clip(np.rint(values * (255.0 / top)), 0, 255).astype(np.uint8)
    transparent: Any = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey).convert("RGB")


def _unreadable(path: Path, error: Exception) -> UnreadableImageError:
    return UnreadableImageError(path, _reason(path, error))


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return f"it claims to have more than {MAX_PIXELS // 1_000_000} megapixels, which is the limit"
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if isinstance(error, PermissionError):
        return "the file may not be read (permission denied)"
    if isinstance(error, OSError) and error.errno in (errno.EIO, errno.EISDIR, errno.EMFILE, errno.ESTALE):
        return f"the file can't be read ({error.strerror})"
    start = _first_bytes(path)
    if not start:
        return "the file is empty"
    if start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"mif1", b"hevc", b"msf1"):
        return "HEIC photos are not supported; save it as JPEG or PNG"
    if isinstance(error, UnidentifiedImageError):
        return "the file is not a picture of a known format, or its beginning is damaged"
    return f"the picture is damaged or cut off ({str(error) or type(error).__name__})"


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError:
        return b"?"


def read_batches(
    paths: Sequence[Path],
    size: tuple[int, int],
    batch_size: int,
    threads: int,
    on_unreadable: Callable[[int, UnreadableImageError], None] | None = None,
    boxes: Sequence[Box] | None = None,
) -> Iterator[tuple[list[int], Pixels]]:
    """Decode pictures in threads, ahead of the consumer, in the order of `paths`.

    size, boxes: see read_rgb; by default all are read whole. Yields the indexes into `paths` and their pixels, uint8
    (n, height, width, 3); n is batch_size but for the last batch, since unreadable files are left out and told to
    `on_unreadable` (in order, in the consumer's thread); without it the first one is raised. At most
    LOOK_AHEAD_BATCHES batches wait in memory.
    """
    waiting: deque[tuple[int, Future[Pixels]]] = deque()
    todo = iter(enumerate(zip(paths, boxes or itertools.repeat(WHOLE), strict=False)))
    indexes: list[int] = []
    pixels: list[Pixels] = []
    pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="decode")

    def refill() -> None:
        while len(waiting) < LOOK_AHEAD_BATCHES * batch_size and (job := next(todo, None)) is not None:
            index, (path, box) = job
            waiting.append((index, pool.submit(read_rgb, path, size, box)))

    try:
        refill()
        while waiting:
            index, future = waiting.popleft()
            try:
                pixels.append(future.result())
                indexes.append(index)
            except UnreadableImageError as error:
                if on_unreadable is None:
                    raise
                on_unreadable(index, error)
            refill()
            if len(pixels) == batch_size:
                yield indexes, np.stack(pixels)
                indexes, pixels = [], []
        if pixels:
            yield indexes, np.stack(pixels)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
