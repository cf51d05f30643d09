"""Pictures with their masks: `images/` beside `masks/` or `labels/` in a project's folder.

A mask says for every pixel of its picture whether it is foreground (1) or background (0), or the number of its class
if the project has a classes.txt.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from protocol.data_report import Finding
from protocol.errors import TrainingError
from trainer_worker.pictures.decoding_budget import UNLIMITED, DecodingBudget
from trainer_worker.pictures.grey_scale import with_grey_scale
from trainer_worker.pictures.images import PictureReader, UnreadableImageError, image_size, read_rgb, rgb_bytes
from trainer_worker.pictures.listing import find_images
from trainer_worker.pictures.user_files import SkippedFile, UserFiles
from trainer_worker.segmentation.classes import (
    FOREGROUND_OR_NOT,
    UNLABELLED,
    MaskClasses,
    UnknownClassError,
    pictures_with,
    read_classes,
    unknown_values,
)
from trainer_worker.segmentation.mask_rule import BLACK_AND_WHITE, MaskRule
from trainer_worker.segmentation.masks import mask_bytes, read_mask
from trainer_worker.segmentation.npy_masks import NPY_SUFFIX
from trainer_worker.segmentation.set_rule import decide_rule
from trainer_worker.segmentation.tiles import choose, tiled_size

IMAGE_FOLDER = "images"
MASK_FOLDERS = ("masks", "labels")
MASK_SUFFIX = "_mask"
#: Files that are no pictures, but may be masks.
MASK_SUFFIXES = frozenset({NPY_SUFFIX})
MIN_PAIRS = 4
DECODE_BATCH = 16
FILES_NAMED_IN_ERRORS = 10
#: Tiles and their masks take no more memory than this. If they would, fewer tiles are taken of each picture.
MAX_EXAMPLES_BYTES = 1024**3


@dataclass(frozen=True)
class MaskedPicture:
    """A picture and its mask."""

    picture: Path
    mask: Path


@dataclass
class MaskFolders:
    """What a project's folders hold: the pairs in the order of their names, and what was left out."""

    reader: PictureReader
    classes: MaskClasses = FOREGROUND_OR_NOT
    pairs: list[MaskedPicture] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    rule: MaskRule = BLACK_AND_WHITE  # until read_pairs has decided it
    findings: list[Finding] = field(default_factory=list)

    def name_of(self, path: Path) -> str:
        """Relative to the project's folder."""
        return self.reader.files.name_of(path)

    def find(self, folder: Path) -> list[Path]:
        """The files of a folder that may be pictures or masks. Those that cannot be used are added to `skipped`."""
        found = find_images(self.reader.files, folder, also=MASK_SUFFIXES)
        self.skipped += found.skipped
        return found.pictures

    def skip(self, path: Path, reason: str) -> None:
        self.skipped.append(SkippedFile(self.name_of(path), reason))


def scan(project_dir: Path, decoding: DecodingBudget | None = None) -> MaskFolders:
    """Pair the pictures of `images/` with the masks of `masks/` and `labels/`, by name, without decoding them.

    A picture's mask is `<stem>_mask.<ext>` or else `<stem>.<ext>`; `masks/` is looked at before `labels/`.
    decoding: the memory for reading them later.
    Raises TrainingError: no_images, no_masks or too_few_images when there is nothing to train on; bad_classes.
    """
    files = UserFiles(project_dir)
    folders = MaskFolders(PictureReader(files, decoding or DecodingBudget()), read_classes(files))
    pictures = _pictures(folders)
    mask_dirs = [project_dir / name for name in MASK_FOLDERS if files.has_folder(project_dir / name)]
    if not mask_dirs:
        raise TrainingError(
            "no_masks",
            f"The project has {len(pictures)} pictures in {IMAGE_FOLDER}/ but no folder of masks. "
            f"Put one mask per picture in masks/ or labels/, named <picture>_mask.png or <picture>.png.",
        )
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for mask_dir in mask_dirs:
        for path in folders.find(mask_dir):
            by_stem[path.stem].append(path)
    _pair_up(folders, pictures, by_stem)
    require_enough(folders)
    return folders


def _pictures(folders: MaskFolders) -> list[Path]:
    folder = folders.reader.files.project_dir / IMAGE_FOLDER
    pictures = folders.find(folder)
    if not pictures:
        raise TrainingError(
            "no_images",
            f"The folder {IMAGE_FOLDER}/ of the project {_without_pictures(folders, folder)}. Segmentation takes "
            f"pictures in {IMAGE_FOLDER}/ and one mask for each in masks/ or labels/.{_named(folders.skipped)}",
        )
    return pictures


def _without_pictures(folders: MaskFolders, folder: Path) -> str:
    files = folders.reader.files
    if not files.has_folder(folder):
        return "is missing"
    subfolders = [folder / entry.name for entry in files.entries(folder) if entry.kind == "folder"]
    inside = [path for path in subfolders if find_images(files, path).pictures]
    if inside:  # as classification takes them
        return f"holds no pictures but folders of them, such as {inside[0].name}/"
    return "holds no pictures"


def _named(skipped: Sequence[SkippedFile]) -> str:
    """A sentence that names the first skipped files; "" if there are none."""
    named = "; ".join(f"{skip.file}: {skip.reason}" for skip in skipped[:FILES_NAMED_IN_ERRORS])
    more = len(skipped) - FILES_NAMED_IN_ERRORS
    return f" Skipped: {named}{f'; and {more} more' if more > 0 else ''}." if named else ""


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
    skipped = _named(folders.skipped)
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
    owners: int64 (n,), the index in folders.pairs that each comes from, rising. unread: the number of pairs that there
    was no time for.
    """

    pictures: Any
    masks: Any
    owners: Any
    unread: int = 0

    def rows_of(self, pairs: Any) -> list[int]:
        """The rows of the examples that come from these pairs. pairs: indexes in folders.pairs."""
        rows: list[int] = np.flatnonzero(np.isin(self.owners, pairs)).tolist()
        return rows


@dataclass(frozen=True)
class Cutting:
    """How pictures become examples of side x side pixels: scaled down whole, or at most `tiles` tiles of each."""

    side_px: int
    tiles: int = 0
    seed: int = 0

    def most_tiles(self, pairs: int) -> int:
        """How many tiles of each picture fit into MAX_EXAMPLES_BYTES, but no more than `tiles`."""
        return min(self.tiles, max(1, MAX_EXAMPLES_BYTES // (pairs * 4 * self.side_px**2)))


def read_pairs(
    folders: MaskFolders, cutting: Cutting, threads: int, on_read: Callable[[float], None], until_s: float = math.inf
) -> Examples:
    """Decode every pair to the model's input size; pairs that can't be read move from `pairs` to `skipped`.

    on_read: called with the share of the pairs that has been read. until_s: monotonic time at which reading ends, but
    the first DECODE_BATCH is always read; pairs that were not read are removed from `pairs`.
    Before, all masks are surveyed, and what their values mean is decided for the whole set.
    Raises TrainingError too_few_images or no_masks when too few pairs can be read or no mask has foreground, and
    what decide_rule raises.
    """
    pairs, side_px = folders.pairs, cutting.side_px
    folders.reader = with_grey_scale(folders.reader, [pair.picture for pair in pairs], threads, lambda: on_read(0.0))
    whole = [(pair.picture, pair.mask) for pair in pairs]
    decided = decide_rule(folders.reader, whole, folders.classes, threads, lambda: on_read(0.0))
    folders.rule, folders.findings = decided.rule, [*folders.findings, *decided.findings]
    most = len(pairs) * max(1, cutting.most_tiles(len(pairs)))
    pictures = np.empty((most, side_px, side_px, 3), np.uint8)
    masks = np.empty((most, side_px, side_px), np.uint8)
    readable: list[MaskedPicture] = []
    owners: list[int] = []
    unknown: list[tuple[str, Sequence[float]]] = []
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
                    unknown.append((folders.name_of(found.path), found.values))
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
        f"{folders.name_of(folders.pairs[0].mask)}). Foreground is {wanted}.",
    )


def _examples(
    folders: MaskFolders, number: int, cutting: Cutting
) -> list[tuple[Any, Any]] | UnreadableImageError | UnknownClassError:
    """Pictures and masks (S, S) from one pair."""
    pair, side_px = folders.pairs[number], cutting.side_px
    try:
        if not cutting.tiles:
            picture = read_rgb(folders.reader, pair.picture, (side_px, side_px))
            mask = read_mask(folders.reader, pair.mask, (side_px, side_px), folders.rule, pair.picture)
            examples = [(picture, mask)] if (mask != UNLABELLED).any() else []
        else:
            with whole_pair(folders, pair, side_px) as (picture, mask):
                random = np.random.default_rng((cutting.seed, number))  # whatever other threads draw
                chosen = choose(mask, side_px, cutting.most_tiles(len(folders.pairs)), random)
                # Copies, because views would keep every whole picture of a batch in memory.
                examples = [(picture[tile.window].copy(), mask[tile.window].copy()) for tile in chosen]
        if not examples:
            raise UnreadableImageError(pair.mask, f"every pixel is {UNLABELLED}, which stands for no label")
        return examples
    except (UnreadableImageError, UnknownClassError) as error:
        return error


@contextlib.contextmanager
def whole_pair(folders: MaskFolders, pair: MaskedPicture, side_px: int) -> Iterator[tuple[Any, Any]]:
    """A picture uint8 (h, w, 3) and its mask uint8 (h, w) at the picture's own size, with no side below side_px.

    Memory for both is reserved while the block runs. Raises UnreadableImageError, UnknownClassError.
    """
    reader = folders.reader
    size = tiled_size(*image_size(reader, pair.picture), side_px)
    pixels, most = size[0] * size[1], reader.budget.most_bytes
    # The picture is kept while its mask is read, and both while the block runs.
    mask_needs = 3 * pixels + mask_bytes(reader, pair.mask, size)
    needed = max(4 * pixels, rgb_bytes(reader, pair.picture, size), mask_needs)
    if needed > most:
        raise UnreadableImageError(
            pair.picture,
            f"at its own size, for tiles, it has {pixels / 1e6:.1f} megapixels and takes {needed // 1024**2:,} MB of "
            f"memory with its mask, of which {most // 1024**2} may be used; cut it into smaller pictures",
        )
    with reader.budget.reserved(needed):
        granted = dataclasses.replace(reader, budget=UNLIMITED)
        picture = read_rgb(granted, pair.picture, size)
        yield picture, read_mask(granted, pair.mask, size, folders.rule, pair.picture)
