"""Pictures with their masks: `images/` beside `masks/` or `labels/` in a project's folder.

No TensorFlow here. A mask says foreground (1) or background (0) for every pixel of its picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from protocol.errors import TrainingError
from trainer_worker.data.images import MAX_PIXELS, UnreadableImageError, find_images, read_rgb

IMAGE_FOLDER = "images"
MASK_FOLDERS = ("masks", "labels")
MASK_SUFFIX = "_mask"
MIN_PAIRS = 4
DECODE_BATCH = 16
FILES_NAMED_IN_ERRORS = 10

_ORIENTATION = ExifTags.Base.Orientation
_QUARTER_TURNS = (5, 6, 7, 8)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Mask = np.ndarray[Any, np.dtype[np.uint8]]


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
    pairs: list[MaskedPicture] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)

    def skip(self, path: Path, reason: str) -> None:
        self.skipped.append(SkippedFile(path.relative_to(self.project_dir).as_posix(), reason))


def scan(project_dir: Path) -> MaskFolders:
    """Pair the pictures of `images/` with the masks of `masks/` and `labels/`, by name, without decoding them.

    A picture's mask is `<stem>_mask.<ext>` or else `<stem>.<ext>`; `masks/` is looked at before `labels/`.
    Raises TrainingError: no_images, no_masks or too_few_images when there is nothing to train on.
    """
    folders = MaskFolders(project_dir)
    pictures = _pictures(project_dir)
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
        what = "is empty" if folder.is_dir() else "is missing"
        raise TrainingError(
            "no_images",
            f"The folder {IMAGE_FOLDER}/ of the project {what}. Segmentation takes pictures in {IMAGE_FOLDER}/ "
            f"and one mask for each in masks/ or labels/.",
        )
    return pictures


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


def read_pairs(
    folders: MaskFolders, image_size_px: int, threads: int, on_read: Callable[[float], None]
) -> tuple[Any, Any]:
    """Decode every pair to the model's input size; pairs that can't be read move from `pairs` to `skipped`.

    on_read: called with the share of the pairs that has been read.
    Returns pictures uint8 (n, S, S, 3) and masks uint8 (n, S, S) of 0 and 1, in the order of folders.pairs.
    Raises TrainingError (too_few_images, no_masks) when too few pairs can be read or no mask has foreground.
    """
    pairs, size = folders.pairs, (image_size_px, image_size_px)
    pictures = np.empty((len(pairs), *size, 3), np.uint8)
    masks = np.empty((len(pairs), *size), np.uint8)
    readable: list[MaskedPicture] = []
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="decode") as pool:
        for start in range(0, len(pairs), DECODE_BATCH):
            for pair, pixels in pool.map(lambda pair: (pair, _read_pair(pair, size)), pairs[start:][:DECODE_BATCH]):
                if isinstance(pixels, UnreadableImageError):
                    folders.skip(pixels.path, pixels.reason)
                else:
                    pictures[len(readable)], masks[len(readable)] = pixels
                    readable.append(pair)
            on_read(min(1.0, (start + DECODE_BATCH) / len(pairs)))
    folders.pairs = readable
    require_enough(folders)
    masks = masks[: len(readable)]
    if not masks.any():
        raise TrainingError(
            "no_masks",
            f"None of the {len(readable)} masks marks any foreground: every pixel is 0 (for example "
            f"{readable[0].mask.relative_to(folders.project_dir)}). Foreground is any value above 0.",
        )
    return pictures[: len(readable)], masks


def _read_pair(pair: MaskedPicture, size: tuple[int, int]) -> tuple[Any, Any] | UnreadableImageError:
    try:
        return read_rgb(pair.picture, size), read_mask(pair.mask, size, pair.picture)
    except UnreadableImageError as error:
        return error


def read_mask(path: Path, size: tuple[int, int], picture: Path | None = None) -> Mask:
    """The mask as uint8 (height, width) of 0 and 1, scaled to `size` = (height, width) by nearest neighbour.

    Anything above zero is foreground: palette images by their index (never their colour), grey of any depth,
    colour by its largest channel. An alpha channel never makes foreground; fully transparent pixels are background.
    JPEG, which smears edges, is cut at half of its largest value.
    picture: where given and it carries an EXIF quarter turn, a mask drawn on the unturned pixels is turned with it.
    Raises UnreadableImageError.
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
            foreground = Image.fromarray(_foreground(image))
        if picture is not None and orientation not in _TURNS:
            orientation = _turn_of_unturned_mask(picture, foreground.size)
    except UnreadableImageError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on broken files
        raise UnreadableImageError(path, f"not a readable mask ({type(error).__name__}: {error})") from error
    if orientation in _TURNS:
        foreground = foreground.transpose(_TURNS[orientation])
    height, width = size
    scaled: Mask = np.array(foreground.resize((width, height), Image.Resampling.NEAREST))
    return scaled


def _foreground(image: Image.Image) -> Mask:
    """uint8 (h, w) of 0 and 1 from the values as stored."""
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):  # colour spaces in which black is not all zeros
        image = image.convert("RGB")
    pixels = np.asarray(image)  # palette images come as their indexes
    has_alpha = image.mode in ("RGBA", "LA", "RGBa", "La", "PA")
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    values = pixels[..., :-1] if has_alpha else pixels
    strongest = values.max(axis=-1)
    threshold = strongest.max() / 2 if image.format in ("JPEG", "MPO") else 0
    foreground = strongest > threshold
    if has_alpha and pixels[..., -1].any():  # an alpha channel of zeros throughout is a slip, not a choice
        foreground &= pixels[..., -1] > 0
    mask: Mask = foreground.astype(np.uint8)
    return mask


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
