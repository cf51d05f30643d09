"""Pictures with their masks in a project's folder, as layouts/ recognises them.

A mask says for every pixel of its picture whether it is foreground (1) or background (0), or the number of its class
if the project has a classes.txt.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from protocol.data_report import DataReport, Finding, gravest_first
from protocol.errors import TrainingError
from protocol.litter import NO_PICTURES_BUT_LIKE_THEM, suffix_of
from trainer_worker.layouts.class_findings import taken_for_pictures
from trainer_worker.layouts.layout import Drawing, MaskedFile, MaskFile, MaskLayout, ObjectMasks, Part
from trainer_worker.layouts.mask_pairs import ARRAY_SUFFIX
from trainer_worker.layouts.masks import recognise_masks
from trainer_worker.layouts.name_lists import skipped_sentence
from trainer_worker.layouts.split_findings import lost_part_findings, split_sentence
from trainer_worker.layouts.tree import Tree, walk
from trainer_worker.pictures.decoding_budget import DecodingBudget
from trainer_worker.pictures.grey_scale import with_grey_scale
from trainer_worker.pictures.headers import Headers, read_headers
from trainer_worker.pictures.images import PictureReader, UnreadableImageError, read_rgb
from trainer_worker.pictures.likeness import Thumbnail, thumbnail
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
from trainer_worker.segmentation.mask_sources import MaskedPicture, MaskMeaning, read_mask_of
from trainer_worker.segmentation.set_rule import decide_rule
from trainer_worker.segmentation.tile_choice import AUTO, choose_tiles
from trainer_worker.segmentation.tiles import choose, thinned
from trainer_worker.segmentation.whole_pair import whole_pair

MIN_PAIRS = 4
DECODE_BATCH = 16
#: The most memory for tiles and their masks. If they would take more, fewer tiles are taken from each picture.
MAX_EXAMPLES_BYTES = 1024**3


@dataclass
class MaskFolders:
    """What a project's folders hold: the pairs in the order of their names, and what was left out.

    layout, layout_rule: how they were recognised, see MaskLayout. findings: what their owner should know. parts: those
    of the caller's own split, before unreadable pictures were left out. What becomes of the split depends on those that
    are left, so only the report says it.
    """

    reader: PictureReader
    classes: MaskClasses = FOREGROUND_OR_NOT
    pairs: list[MaskedPicture] = field(default_factory=list)
    left_out: list[SkippedFile] = field(default_factory=list)
    unreadable: list[SkippedFile] = field(default_factory=list)
    layout: str = ""
    layout_rule: str = ""
    findings: list[Finding] = field(default_factory=list)
    parts: frozenset[Part] = frozenset()
    rule: MaskRule = BLACK_AND_WHITE  # of masks for whole pictures, until read_pairs has decided it
    object_rule: MaskRule = BLACK_AND_WHITE  # the same for masks of one object each

    def name_of(self, path: Path) -> str:
        """The path of a file relative to the project, for messages and reports."""
        return self.reader.files.name_of(path)

    @property
    def meaning(self) -> MaskMeaning:
        return MaskMeaning(self.classes, self.rule, self.object_rule)

    @property
    def skipped(self) -> list[SkippedFile]:
        """All files that could be pictures or masks, and are not used."""
        return [*self.left_out, *self.unreadable]

    def skip(self, path: Path, reason: str) -> None:
        """Leave out a pair, because this file of it can't be read."""
        self.unreadable.append(SkippedFile(self.name_of(path), reason))

    def names_of(self, pair: MaskedPicture) -> list[str]:
        """The names of the picture and of its masks."""
        return [self.name_of(path) for path in (pair.picture, *pair.mask_files(self.reader))]

    def leave_out_unreadable(self, headers: Headers) -> None:
        """Leave out the pairs of which a header can't be read."""
        names = [self.names_of(pair) for pair in self.pairs]
        for name in (name for of_pair in names for name in of_pair):
            if damage := headers.unreadable.get(name):
                self.skip(damage.path, damage.reason)
        lost = [bool(headers.unreadable.keys() & of_pair) for of_pair in names]
        self.pairs = [pair for pair, is_lost in zip(self.pairs, lost, strict=True) if not is_lost]

    def callers_split(self) -> tuple[Any, Any] | None:
        """The numbers of the pairs that train and of those that score, by the caller's own split; None without one.

        The part called test scores, else the one called val. Neither ever trains.
        """
        parts = np.array([pair.part.value for pair in self.pairs])
        scoring = next((part for part in (Part.TEST, Part.VAL) if (parts == part).any()), None)
        if scoring is None:
            return None
        train = np.flatnonzero((parts == Part.TRAIN) | (parts == Part.ANY))
        if not len(train):
            raise TrainingError(
                "too_few_images",
                f"All {len(parts)} pictures with masks lie in the part that only scores ({scoring}). Put the pictures "
                "to train on beside it, into a folder called train.",
            )
        return train, np.flatnonzero(parts == scoring)

    def report(self) -> DataReport:
        """What names and small files say about the folder.

        counts: for each class of annotations, the number of pictures with it. Mask files are not opened for this.
        """
        counts: Counter[str] = Counter()
        for pair in self.pairs:
            if isinstance(pair.mask, Drawing):
                counts.update({item.class_name for item in pair.mask.objects})
        parts = Counter(pair.part for pair in self.pairs)
        return DataReport(
            layout=self.layout,
            rule=self.layout_rule + split_sentence(parts.keys()),
            pictures=len(self.pairs),
            counts={name: counts[name] for name in self.classes.names if counts[name]},
            split={part.value: count for part, count in parts.items() if part is not Part.ANY},
            skipped=len(self.skipped),
            findings=gravest_first([*self.findings, *self._lost_part()]),
        )

    def _lost_part(self) -> list[Finding]:
        left = {pair.part for pair in self.pairs}
        return lost_part_findings(self.parts, left, left) if left else []


def scan_mask_folders(files: UserFiles, decoding: DecodingBudget | None = None) -> MaskFolders:
    """Recognise the pictures and their masks by names and small files.

    decoding: the memory for reading them later. Raises what recognise_masks raises, and too_few_images.
    """
    tree = walk(files)
    folders = mask_folders(recognise_masks(tree), tree, PictureReader(files, decoding or DecodingBudget()))
    if len(folders.pairs) < MIN_PAIRS:  # the refusal is to say which of them can't be read
        named = map(folders.names_of, folders.pairs)
        names = [[name for name in of_pair if suffix_of(name) != ARRAY_SUFFIX] for of_pair in named]
        folders.leave_out_unreadable(read_headers(folders.reader, names, math.inf))
    require_enough(folders)
    return folders


def mask_folders(layout: MaskLayout, tree: Tree, reader: PictureReader) -> MaskFolders:
    """The candidate pairs of a recognised layout. tree: what it was recognised from.

    Raises TrainingError bad_classes.
    """
    files = reader.files
    if layout.classes is not None:
        classes = MaskClasses.of(layout.classes)
    else:
        classes = read_classes(files, files.project_dir / layout.classes_file if layout.classes_file else None)
    return MaskFolders(
        reader,
        classes,
        [_masked_picture(files.project_dir, found) for found in layout.pictures],
        [*tree.skipped, *_not_used(layout, tree)],
        layout=layout.name,
        layout_rule=layout.rule,
        findings=list(layout.findings),
        parts=frozenset(picture.part for picture in layout.pictures),
    )


def _not_used(layout: MaskLayout, tree: Tree) -> Iterator[SkippedFile]:
    """Pictures and masks without a partner, and files beside them that people take for pictures."""
    for unused in layout.unused:
        yield SkippedFile(unused.path, unused.reason)
    others = (path for path in tree.files if suffix_of(path) != ARRAY_SUFFIX)
    for path in taken_for_pictures(others, [found.path for found in layout.pictures]):
        yield SkippedFile(path, NO_PICTURES_BUT_LIKE_THEM[suffix_of(path)])


def _masked_picture(project_dir: Path, found: MaskedFile) -> MaskedPicture:
    mask = project_dir / found.mask.path if isinstance(found.mask, MaskFile) else found.mask
    return MaskedPicture(project_dir / found.path, mask, found.part)


def require_enough(folders: MaskFolders) -> None:
    """Raise TrainingError when fewer than MIN_PAIRS usable pairs are left, naming what was skipped and why."""
    if len(folders.pairs) >= MIN_PAIRS:
        return
    skipped = skipped_sentence(folders.skipped)
    if not folders.pairs:
        raise TrainingError(
            "no_masks",
            f"No picture has a usable mask. Masks lie in masks/, named <picture>.png or <picture>_mask.png.{skipped}",
        )
    raise TrainingError(
        "too_few_images",
        f"Only {len(folders.pairs)} pictures have a usable mask; segmentation needs at least {MIN_PAIRS}. "
        f"Add pictures with masks.{skipped}",
    )


@dataclass(frozen=True)
class Examples:
    """What the model sees: each picture scaled down, or some of its tiles.

    pictures: uint8 (n, S, S, 3). masks: uint8 (n, S, S) of 0 and 1, or of class numbers and UNLABELLED.
    owners: int64 (n,), the index in folders.pairs of the pair that each comes from, rising. thumbnails: uint8 (pairs,
    16, 16, 3) of the whole pictures. unread: the number of pairs for which there was no time. tiles: how many were
    wanted of each picture; 0 for pictures that were scaled down. thinned: where examples are tiles, some rows and
    columns of the mask of each pair, see tiles.thinned; else empty.
    """

    pictures: Any
    masks: Any
    owners: Any
    thumbnails: Any
    unread: int = 0
    tiles: int = 0
    thinned: Sequence[Any] = ()

    def rows_of(self, pairs: Any) -> list[int]:
        """The rows of the examples that come from these pairs. pairs: indexes in folders.pairs."""
        rows: list[int] = np.flatnonzero(np.isin(self.owners, pairs)).tolist()
        return rows


@dataclass(frozen=True)
class Cutting:
    """How pictures become examples of side x side pixels: scaled down whole, or at most `tiles` tiles of each.

    tiles: AUTO lets the masks decide, see tile_choice.py.
    """

    side_px: int
    tiles: int | Literal["auto"] = 0
    seed: int = 0

    def fitting(self, tiles: int, pairs: int) -> int:
        """How many tiles of each picture fit into MAX_EXAMPLES_BYTES, but no more than `tiles`."""
        return min(tiles, max(1, MAX_EXAMPLES_BYTES // (pairs * 4 * self.side_px**2)))


def read_pairs(
    folders: MaskFolders, cutting: Cutting, threads: int, on_read: Callable[[float], None], until_s: float = math.inf
) -> Examples:
    """Decode every pair to the model's input size; pairs that can't be read move from `pairs` to `skipped`.

    on_read: called with the share of the pairs that has been read. until_s: monotonic time at which reading ends, but
    the first DECODE_BATCH is always read; pairs that were not read are removed from `pairs`.
    Before, all masks are surveyed, and what their values mean is decided for the whole set. Then the tiles are.
    Raises TrainingError too_few_images or no_masks when too few pairs can be read or no mask has foreground, and
    what decide_rule raises.
    """
    pairs, side_px = folders.pairs, cutting.side_px
    folders.reader = with_grey_scale(folders.reader, [pair.picture for pair in pairs], threads, lambda: on_read(0.0))
    _decide_rules(folders, threads, lambda: on_read(0.0))
    wanted = _wanted_tiles(folders, cutting, threads, lambda: on_read(0.0))
    tiles = cutting.fitting(wanted, len(pairs))
    most = len(pairs) * max(1, tiles)
    pictures = np.empty((most, side_px, side_px, 3), np.uint8)
    masks = np.empty((most, side_px, side_px), np.uint8)
    readable: list[MaskedPicture] = []
    owners: list[int] = []
    wholes: list[_Whole] = []
    unknown: list[tuple[str, Sequence[float]]] = []
    unread = len(pairs)
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="decode") as pool:
        for start in range(0, len(pairs), DECODE_BATCH):
            if start and time.monotonic() >= until_s:
                break
            numbers = range(start, min(start + DECODE_BATCH, len(pairs)))
            unread = len(pairs) - numbers.stop
            read = pool.map(lambda n: _examples(folders, n, cutting, tiles), numbers)
            for number, found in zip(numbers, read, strict=True):
                if isinstance(found, UnreadableImageError):
                    folders.skip(found.path, found.reason)
                    continue
                if isinstance(found, UnknownClassError):
                    unknown.append((folders.name_of(found.path), found.values))
                    continue
                for picture, mask in found.squares:
                    pictures[len(owners)], masks[len(owners)] = picture, mask
                    owners.append(len(readable))
                wholes.append(found.whole)
                readable.append(pairs[number])
            on_read(min(1.0, (start + DECODE_BATCH) / len(pairs)))
    if unknown:
        raise unknown_values(folders.classes, unknown)
    folders.pairs = readable
    require_enough(folders)
    masks = masks[: len(owners)]
    if not pictures_with(masks, len(folders.classes.names))[:, 1:].any():
        raise _no_foreground(folders)
    owned = np.array(owners, np.int64)
    thumbnails = np.array([whole.thumbnail for whole in wholes])
    thin = [whole.mask for whole in wholes] if wanted else []
    return Examples(pictures[: len(owners)], masks, owned, thumbnails, unread, wanted, thin)


def _decide_rules(folders: MaskFolders, threads: int, on_step: Callable[[], None]) -> None:
    """Survey all files of masks. What is drawn from outlines needs no rule."""
    whole = [(pair.picture, pair.mask) for pair in folders.pairs if isinstance(pair.mask, Path)]
    decided = decide_rule(folders.reader, whole, folders.classes, threads, on_step)
    folders.rule = decided.rule
    objects = [
        (pair.picture, folders.reader.files.project_dir / path)
        for pair in folders.pairs
        if isinstance(pair.mask, ObjectMasks)
        for path, _ in pair.mask.files
    ]
    of_objects = decide_rule(folders.reader, objects, FOREGROUND_OR_NOT, threads, on_step)
    folders.object_rule = of_objects.rule
    folders.findings = [*folders.findings, *decided.findings, *of_objects.findings]


def _wanted_tiles(folders: MaskFolders, cutting: Cutting, threads: int, on_step: Callable[[], None]) -> int:
    """The tiles of each picture that the option asks for, or that the masks do. The reason becomes a finding."""
    if cutting.tiles != AUTO:
        return cutting.tiles
    choice = choose_tiles(folders, cutting.side_px, threads, on_step)
    folders.findings = [*folders.findings, *choice.findings]
    return choice.tiles


def _no_foreground(folders: MaskFolders) -> TrainingError:
    wanted = "any number above 0 in classes.txt" if folders.classes.listed else "any value above 0"
    return TrainingError(
        "no_masks",
        f"None of the {len(folders.pairs)} masks marks any foreground: every pixel is 0"
        f"{f' or {UNLABELLED}' if folders.classes.listed else ''} (for example "
        f"{folders.name_of(folders.pairs[0].mask_file(folders.reader))}). Foreground is {wanted}.",
    )


class _Whole(NamedTuple):
    """What is kept of a whole pair. mask: thinned."""

    thumbnail: Thumbnail
    mask: Any


class _PairExamples(NamedTuple):
    """What one pair yields. squares: pictures and masks, (S, S) each."""

    squares: list[tuple[Any, Any]]
    whole: _Whole


def _examples(
    folders: MaskFolders, number: int, cutting: Cutting, tiles: int
) -> _PairExamples | UnreadableImageError | UnknownClassError:
    pair, side_px = folders.pairs[number], cutting.side_px
    try:
        if not tiles:
            picture = read_rgb(folders.reader, pair.picture, (side_px, side_px))
            mask = read_mask_of(folders.reader, pair, (side_px, side_px), folders.meaning)
            squares = [(picture, mask)] if (mask != UNLABELLED).any() else []
            whole = _Whole(thumbnail(picture), None)
        else:
            with whole_pair(folders, pair, side_px) as (picture, mask):
                random = np.random.default_rng((cutting.seed, number))  # does not depend on other threads
                chosen = choose(mask, side_px, tiles, random)
                # Copies, because views would keep every whole picture of a batch in memory.
                squares = [(picture[tile.window].copy(), mask[tile.window].copy()) for tile in chosen]
                whole = _Whole(thumbnail(picture), thinned(mask).copy())
        if not squares:
            raise UnreadableImageError(
                pair.mask_file(folders.reader), f"every pixel is {UNLABELLED}, which stands for no label"
            )
        return _PairExamples(squares, whole)
    except (UnreadableImageError, UnknownClassError) as error:
        return error
