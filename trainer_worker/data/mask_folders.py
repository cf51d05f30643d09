"""Pictures with their masks: `images/` beside `masks/` or `labels/` in a project's folder.

No TensorFlow here. A mask says foreground (1) or background (0) for every pixel of its picture; or, where the project
has a classes.txt, the number of the pixel's class.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from protocol.errors import TrainingError
from trainer_worker.data.images import MAX_PIXELS, UnreadableImageError, find_images, image_size, read_rgb
from trainer_worker.data.mask_classes import (
    FOREGROUND_OR_NOT,
    UNLABELLED,
    Mask,
    MaskClasses,
    UnknownClassError,
    class_numbers,
    pictures_with,
    read_classes,
    unknown_values,
)
from trainer_worker.data.tiles import choose, tiled_size

IMAGE_FOLDER = "images"
MASK_FOLDERS = ("masks", "labels")
MASK_SUFFIX = "_mask"
MIN_PAIRS = 4
DECODE_BATCH = 16
FILES_NAMED_IN_ERRORS = 10
#: Tiles and their masks take no more memory than this; of each picture fewer are taken then.
MAX_EXAMPLES_BYTES = 1024**3

_ORIENTATION = ExifTags.Base.Orientation
_QUARTER_TURNS = (5, 6, 7, 8)
_LOSSY = ("JPEG", "MPO")
_NOT_BLACK_AT_ZERO = ("CMYK", "YCbCr", "LAB", "HSV")  # colour spaces in which black is not all zeros
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class SkippedFile:
    """A file that takes no part in the training, relative to the project's folder, and why in plain words."""

    file: str
    reason: str


@dataclass(frozen=True)
class MaskedPicture:
    """A picture and its mask."""

    picture: Path
    mask: Path


@dataclass
class MaskFolders:
    """What a project's folders hold: the pairs in the order of their names, and what was left out."""

    project_dir: Path
    classes: MaskClasses = FOREGROUND_OR_NOT
    pairs: list[MaskedPicture] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)

    def skip(self, path: Path, reason: str) -> None:
        self.skipped.append(SkippedFile(path.relative_to(self.project_dir).as_posix(), reason))


def scan(project_dir: Path) -> MaskFolders:
    """Pair the pictures of `images/` with the masks of `masks/` and `labels/`, by name, without decoding them.

    A picture's mask is `<stem>_mask.<ext>` or else `<stem>.<ext>`; `masks/` is looked at before `labels/`.
    Raises TrainingError: no_images, no_masks or too_few_images when there is nothing to train on; bad_classes.
    """
    pictures = _pictures(project_dir)
    folders = MaskFolders(project_dir, read_classes(project_dir))
    mask_dirs = [project_dir / name for name in MASK_FOLDERS if (project_dir / name).is_dir()]
    if not mask_dirs:
        raise TrainingError(
            "no_masks",
            f"The project has {len(pictures)} pictures in {IMAGE_FOLDER}/ but no folder of masks. "
            f"Put one mask per picture in masks/ or labels/, named <picture>_mask.png or <picture>.png.",
        )
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for mask_dir in mask_dirs:
        for path in find_images(mask_dir):
            by_stem[path.stem].append(path)
    _pair_up(folders, pictures, by_stem)
    require_enough(folders)
    return folders


def _pictures(project_dir: Path) -> list[Path]:
    folder = project_dir / IMAGE_FOLDER
    pictures = find_images(folder) if folder.is_dir() else []
    if not pictures:
        raise TrainingError(
            "no_images",
            f"The folder {IMAGE_FOLDER}/ of the project {_without_pictures(folder)}. Segmentation takes pictures in "
            f"{IMAGE_FOLDER}/ and one mask for each in masks/ or labels/.",
        )
    return pictures


def _without_pictures(folder: Path) -> str:
    if not folder.is_dir():
        return "is missing"
    inside = [path for path in folder.iterdir() if path.is_dir() and find_images(path)]
    if inside:  # as classification takes them
        return f"holds no pictures but folders of them, such as {sorted(inside)[0].name}/"
    return "holds no pictures"


def _pair_up(folders: MaskFolders, pictures: list[Path], by_stem: dict[str, list[Path]]) -> None:
    used: set[Path] = set()
    # `<stem>_mask` is claimed first everywhere, so that a picture whose own name ends in _mask can't take another's.
    chosen: dict[Path, Path] = {}
    for suffix in (MASK_SUFFIX, MASK_SUFFIX.upper(), ""):
        for picture in pictures:
            free = [path for path in by_stem.get(picture.stem + suffix, []) if path not in used]
            if picture not in chosen and free:
                chosen[picture] = free[0]
                used.add(free[0])
    for picture in pictures:
        if picture in chosen:
            folders.pairs.append(MaskedPicture(picture, chosen[picture]))
        else:
            folders.skip(
                picture, f"no mask: neither {picture.stem}{MASK_SUFFIX}.* nor {picture.stem}.* was free for it"
            )
    for mask in sorted(path for paths in by_stem.values() for path in paths):
        if mask not in used:
            folders.skip(mask, "mask without a picture of its own")


def require_enough(folders: MaskFolders) -> None:
    """Raise TrainingError when fewer than MIN_PAIRS usable pairs are left, naming what was skipped and why."""
    if len(folders.pairs) >= MIN_PAIRS:
        return
    named = "; ".join(f"{skip.file}: {skip.reason}" for skip in folders.skipped[:FILES_NAMED_IN_ERRORS])
    more = len(folders.skipped) - FILES_NAMED_IN_ERRORS
    skipped = f" Skipped: {named}{f'; and {more} more' if more > 0 else ''}." if named else ""
    if not folders.pairs:
        raise TrainingError(
            "no_masks",
            f"No picture in {IMAGE_FOLDER}/ has a usable mask in masks/ or labels/; masks are named "
            f"<picture>{MASK_SUFFIX}.<ext> or <picture>.<ext>.{skipped}",
        )
    raise TrainingError(
        "too_few_images",
        f"Only {len(folders.pairs)} pictures in {IMAGE_FOLDER}/ have a usable mask; segmentation needs at least "
        f"{MIN_PAIRS}. Add pictures with masks.{skipped}",
    )


@dataclass(frozen=True)
class Examples:
    """What the model sees: each picture scaled down, or some of its tiles.

    pictures: uint8 (n, S, S, 3). masks: uint8 (n, S, S) of 0 and 1, or of class numbers and UNLABELLED.
    owners: int64 (n,), the pair in folders.pairs that each is of; rising. unread: pairs that there was no time for.
    """

    pictures: Any
    masks: Any
    owners: Any
    unread: int = 0

    def rows_of(self, pairs: Any) -> list[int]:
        """pairs: their numbers."""
        rows: list[int] = np.flatnonzero(np.isin(self.owners, pairs)).tolist()
        return rows


@dataclass(frozen=True)
class Cutting:
    """How pictures become examples of side x side pixels: scaled down whole, or at most `tiles` tiles of each."""

    side_px: int
    tiles: int = 0
    seed: int = 0

    def most_tiles(self, pairs: int) -> int:
        """Of a picture, so that all of them fit into MAX_EXAMPLES_BYTES."""
        return min(self.tiles, max(1, MAX_EXAMPLES_BYTES // (pairs * 4 * self.side_px**2)))


def read_pairs(
    folders: MaskFolders, cutting: Cutting, threads: int, on_read: Callable[[float], None], until_s: float = math.inf
) -> Examples:
    """Decode every pair to the model's input size; pairs that can't be read move from `pairs` to `skipped`.

    on_read: called with the share of the pairs that has been read. until_s: monotonic time after which only the first
    DECODE_BATCH is read; the pairs beyond leave `pairs`.
    Raises TrainingError too_few_images or no_masks when too few pairs can be read or no mask has foreground, and
    bad_classes when masks hold values that are no class.
    """
    pairs, side_px = folders.pairs, cutting.side_px
    most = len(pairs) * max(1, cutting.most_tiles(len(pairs)))
    pictures = np.empty((most, side_px, side_px, 3), np.uint8)
    masks = np.empty((most, side_px, side_px), np.uint8)
    readable: list[MaskedPicture] = []
    owners: list[int] = []
    unknown: list[tuple[str, UnknownClassError]] = []
    unread = len(pairs)
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="decode") as pool:
        for start in range(0, len(pairs), DECODE_BATCH):
            if start and time.monotonic() >= until_s:
                break
            numbers = range(start, min(start + DECODE_BATCH, len(pairs)))
            unread = len(pairs) - numbers.stop
            for number, found in zip(numbers, pool.map(lambda n: _examples(folders, n, cutting), numbers), strict=True):
                if isinstance(found, UnreadableImageError):
                    folders.skip(found.path, found.reason)
                    continue
                if isinstance(found, UnknownClassError):
                    unknown.append((found.path.relative_to(folders.project_dir).as_posix(), found))
                    continue
                for picture, mask in found:
                    pictures[len(owners)], masks[len(owners)] = picture, mask
                    owners.append(len(readable))
                readable.append(pairs[number])
            on_read(min(1.0, (start + DECODE_BATCH) / len(pairs)))
    if unknown:
        raise unknown_values(folders.classes, unknown)
    folders.pairs = readable
    require_enough(folders)
    masks = masks[: len(owners)]
    if not pictures_with(masks, len(folders.classes.names))[:, 1:].any():
        raise _no_foreground(folders)
    return Examples(pictures[: len(owners)], masks, np.array(owners, np.int64), unread)


def _no_foreground(folders: MaskFolders) -> TrainingError:
    wanted = "any number above 0 in classes.txt" if folders.classes.listed else "any value above 0"
    return TrainingError(
        "no_masks",
        f"None of the {len(folders.pairs)} masks marks any foreground: every pixel is 0"
        f"{f' or {UNLABELLED}' if folders.classes.listed else ''} (for example "
        f"{folders.pairs[0].mask.relative_to(folders.project_dir)}). Foreground is {wanted}.",
    )


def _examples(
    folders: MaskFolders, number: int, cutting: Cutting
) -> list[tuple[Any, Any]] | UnreadableImageError | UnknownClassError:
    """Pictures and masks (S, S) from one pair."""
    pair, side_px = folders.pairs[number], cutting.side_px
    try:
        if not cutting.tiles:
            picture = read_rgb(pair.picture, (side_px, side_px))
            mask = read_mask(pair.mask, (side_px, side_px), pair.picture, folders.classes)
            examples = [(picture, mask)] if (mask != UNLABELLED).any() else []
        else:
            picture, mask = read_whole(pair, side_px, folders.classes)
            random = np.random.default_rng((cutting.seed, number))  # of its own, for threads take turns as they like
            chosen = choose(mask, side_px, cutting.most_tiles(len(folders.pairs)), random)
            # Copies: views would keep every whole picture of a batch in memory.
            examples = [(picture[tile.window].copy(), mask[tile.window].copy()) for tile in chosen]
        if not examples:
            raise UnreadableImageError(pair.mask, f"every pixel is {UNLABELLED}, which stands for no label")
        return examples
    except (UnreadableImageError, UnknownClassError) as error:
        return error


def read_whole(pair: MaskedPicture, side_px: int, classes: MaskClasses) -> tuple[Any, Any]:
    """A picture uint8 (h, w, 3) and its mask uint8 (h, w) at the picture's own size, but no side below side_px.

    Raises UnreadableImageError, UnknownClassError.
    """
    size = tiled_size(*image_size(pair.picture), side_px)
    return read_rgb(pair.picture, size), read_mask(pair.mask, size, pair.picture, classes)


def read_mask(
    path: Path, size: tuple[int, int], picture: Path | None = None, classes: MaskClasses = FOREGROUND_OR_NOT
) -> Mask:
    """The mask as uint8 (height, width), scaled to `size` = (height, width) by nearest neighbour.

    Without a list of classes 0 and 1. Anything above zero is foreground: palette images by their index (never their
    colour), grey of any depth, colour by its largest channel. JPEG, which smears edges, is cut at half of its largest
    value. With one, class numbers and UNLABELLED: palette indexes, or grey values; white of one bit is class 1.
    An alpha channel never makes foreground; fully transparent pixels are background.
    picture: where given and it carries an EXIF quarter turn, a mask drawn on the unturned pixels is turned with it.
    Raises UnreadableImageError, and UnknownClassError for a value that is no class.
    """
    try:
        # From an open file: by name, Pillow 13 maps uncompressed TIFFs into memory and scrambles turned ones.
        with path.open("rb") as file, Image.open(file) as image:
            if image.width * image.height > MAX_PIXELS:
                raise UnreadableImageError(path, f"the mask claims {image.width}x{image.height} pixels, too many")
            if image.format == "EPS":  # would start Ghostscript to run the file as a program
                raise UnreadableImageError(path, "EPS drawings are not supported; save the mask as PNG")
            image.load()
            orientation = image.getexif().get(_ORIENTATION, 1)  # after load, which turns TIFF pictures by itself
            mask = Image.fromarray(_numbers(path, image, classes) if classes.listed else _foreground(image))
        if picture is not None and orientation not in _TURNS:
            orientation = _turn_of_unturned_mask(picture, mask.size)
    except (UnreadableImageError, UnknownClassError):
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise UnreadableImageError(path, f"not a readable mask ({type(error).__name__}: {error})") from error
    if orientation in _TURNS:
        mask = mask.transpose(_TURNS[orientation])
    height, width = size
    scaled: Mask = np.array(mask.resize((width, height), Image.Resampling.NEAREST))
    return scaled


def _foreground(image: Image.Image) -> Mask:
    """uint8 (h, w) of 0 and 1 from the values as stored."""
    if image.mode in _NOT_BLACK_AT_ZERO:
        image = image.convert("RGB")
    values, transparent = _values(image)
    strongest = values.max(axis=-1)
    threshold = strongest.max() / 2 if image.format in _LOSSY else 0
    mask: Mask = ((strongest > threshold) & ~transparent).astype(np.uint8)
    return mask


def _numbers(path: Path, image: Image.Image, classes: MaskClasses) -> Mask:
    """uint8 (h, w) of class numbers and UNLABELLED from the values as stored."""
    if image.format in _LOSSY:
        raise UnreadableImageError(path, "JPEG blurs class numbers; save the mask as PNG")
    values, transparent = _values(image)
    if image.mode in _NOT_BLACK_AT_ZERO or (values != values[..., :1]).any():
        raise UnreadableImageError(
            path, "a colour mask; with classes.txt a mask holds class numbers, as palette indexes or grey values"
        )
    return class_numbers(path, np.where(transparent, 0, values[..., 0]), classes)


def _values(image: Image.Image) -> tuple[Any, Any]:
    """The values (h, w, channels) without alpha, palettes as indexes, and where pixels are transparent (h, w)."""
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    if image.mode not in ("RGBA", "LA", "RGBa", "La", "PA"):
        return pixels, np.zeros(pixels.shape[:2], bool)
    alpha = pixels[..., -1]
    return pixels[..., :-1], (alpha == 0) & alpha.any()  # an alpha channel of zeros throughout is a slip, not a choice


def _turn_of_unturned_mask(picture: Path, mask_size: tuple[int, int]) -> int:
    """The picture's EXIF orientation if the mask has the shape of its stored, unturned pixels; else 1.

    Tools that ignore EXIF save such masks. The shapes tell only for quarter turns of pictures that aren't square.
    """
    with Image.open(picture) as image:
        orientation: int = image.getexif().get(_ORIENTATION, 1)
        stored_width, stored_height = image.size
        turned_by_pillow = image.format == "TIFF"
    if turned_by_pillow or orientation not in _QUARTER_TURNS or stored_width == stored_height:
        return 1
    mask_width, mask_height = mask_size
    return orientation if mask_width * stored_height == mask_height * stored_width else 1
