"""Decides for tiles=auto whether pictures are scaled down or cut into tiles.

Pictures are scaled to the model's input size. A line of 3 px in a picture of 600 px is then 1 px wide, and no model
draws it well. Tiles keep the pictures' own resolution, but they take several times as long to train. They are therefore
chosen only where scaling down would make the regions of a class too thin (docs/choices.md, "Tiles by themselves").
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from protocol.data_report import Finding, Severity, finding
from trainer_worker.pictures.images import PictureReader, UnreadableImageError, image_size
from trainer_worker.segmentation.classes import UNLABELLED, UnknownClassError
from trainer_worker.segmentation.mask_sources import MaskedPicture, MaskMeaning, read_mask_of, whole_bytes_of
from trainer_worker.segmentation.tiles import tiled_size, tiles

#: The value of the option that leaves the choice to this file.
AUTO: Final = "auto"
#: Regions that would be thinner than this at the model's input size are lost by scaling down.
THINNEST_PX = 2.0
#: Tiles don't help where scaling down makes the pictures' sides shorter by less than this factor.
LEAST_SHRINKING = 1.3
#: So many masks, spread over the set, tell how thick the regions are.
SAMPLED = 24
#: A class that fewer of these masks show does not decide.
LEAST_MASKS = 2
#: Masks are measured at this many times the input size, so that parts of a pixel count.
SUBPIXELS = 4
#: The most tiles of one picture, and of all pictures together. More would take too long to train. Each picture has one
#: tile at least, so a set of more pictures than MOST_EXAMPLES has more tiles.
MOST_TILES = 16
MOST_EXAMPLES = 1500


class TileChoice(NamedTuple):
    """tiles: of each picture; 0 to scale the pictures down. findings: why, where scaling down would lose regions."""

    tiles: int
    findings: tuple[Finding, ...] = ()


class MaskedSet(Protocol):
    """The pictures and masks of a project, see MaskFolders."""

    @property
    def reader(self) -> PictureReader: ...

    @property
    def pairs(self) -> Sequence[MaskedPicture]: ...

    @property
    def meaning(self) -> MaskMeaning: ...


class _Sampled(NamedTuple):
    """size: (height, width) of a picture. pixels, edges: of each class in its mask, int (classes,)."""

    size: tuple[int, int]
    pixels: Any
    edges: Any


def choose_tiles(masked: MaskedSet, side_px: int, threads: int, on_step: Callable[[], None]) -> TileChoice:
    """The choice for these pictures and masks and a model of side_px.

    The same pairs in the same order always give the same choice. on_step: called for each picture that is looked at; an
    exception from it ends the look.
    """
    reader, pairs, meaning = masked.reader, masked.pairs, masked.meaning

    def look(pair: MaskedPicture) -> _Sampled | None:
        try:
            size = image_size(reader, pair.picture)
            mask = read_mask_of(reader, pair, (SUBPIXELS * side_px, SUBPIXELS * side_px), meaning)
        except (UnreadableImageError, UnknownClassError):  # read_pairs says so
            return None
        return _Sampled(size, *edges_of(mask, len(meaning.classes.names)))

    some = [pairs[row] for row in np.unique(np.linspace(0, len(pairs) - 1, SAMPLED).round().astype(int))]
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="tiles") as pool:
        sampled = []
        for found in pool.map(look, some):
            on_step()
            if found:
                sampled.append(found)
    if not sampled:
        return TileChoice(0)
    height, width = (round(statistics.median(each.size[axis] for each in sampled)) for axis in (0, 1))
    shrinking = (height * width) ** 0.5 / side_px
    thickness = _thickness_px(sampled)
    thinnest = int(np.argmin(thickness))
    if shrinking < LEAST_SHRINKING or thickness[thinnest] >= THINNEST_PX:
        return TileChoice(0)
    name, thin_px = meaning.classes.names[thinnest], float(thickness[thinnest])
    if too_large := _too_large(reader, pairs, side_px, on_step):
        return TileChoice(0, (_lost(name, thin_px, side_px, too_large),))
    whole = len(tiles(*tiled_size(height, width, side_px), side_px))
    number = max(1, min(whole, MOST_TILES, MOST_EXAMPLES // len(pairs)))
    said = (
        f"tiles=auto chose {number} tiles of each picture: the regions of class {name!r} are about "
        f"{thin_px * shrinking:.1f} px wide in pictures of {width} x {height} px, and would be {thin_px:.1f} px wide "
        f"at imageSize={side_px}."
    )
    cure = "Post tiles=0 for a model that takes whole pictures, which trains in less time."
    return TileChoice(number, (finding("tiles_chosen", Severity.INFO, said, cure),))


def _too_large(
    reader: PictureReader, pairs: Sequence[MaskedPicture], side_px: int, on_step: Callable[[], None]
) -> list[str]:
    """The names of the pictures that can't be read whole for lack of memory. If all were cut, they would be out."""
    names = []
    for pair in pairs:
        on_step()
        try:
            size = tiled_size(*image_size(reader, pair.picture), side_px)
            fits = whole_bytes_of(reader, pair, size) <= reader.budget.most_bytes
        except UnreadableImageError:  # read_pairs says so
            continue
        if not fits:
            names.append(reader.files.name_of(pair.picture))
    return names


def _lost(name: str, thin_px: float, side_px: int, too_large: Sequence[str]) -> Finding:
    said = (
        f"The regions of class {name!r} will be {thin_px:.1f} px wide at imageSize={side_px}, too thin to be learned "
        f"well. tiles=auto would cut the pictures, but {len(too_large)} of them are too large to be read whole."
    )
    cure = "Cut them into smaller pictures, or post tiles=16 to train without them."
    return finding("tiles_impossible", Severity.WARNING, said, cure, too_large)


def edges_of(mask: Any, classes: int) -> tuple[Any, Any]:
    """How many pixels of each class a mask has, and how many of them touch another class: int (classes,) each."""
    is_edge = np.zeros(mask.shape, bool)
    for axis in (0, 1):
        here, there = [slice(None)] * 2, [slice(None)] * 2
        here[axis], there[axis] = slice(1, None), slice(None, -1)
        differs = mask[tuple(here)] != mask[tuple(there)]
        is_edge[tuple(here)] |= differs
        is_edge[tuple(there)] |= differs
    pixels = np.bincount(mask.ravel(), minlength=UNLABELLED + 1)[:classes]
    return pixels, np.bincount(mask[is_edge], minlength=UNLABELLED + 1)[:classes]


def _thickness_px(sampled: Sequence[_Sampled]) -> Any:
    """How thick the regions of each class would be at the input size; infinite for the background.

    A line of two pixels or more has two edge pixels in each of its cross-sections, so its thickness is twice its
    pixels by its edge pixels.
    """
    pixels, edges = (np.array([getattr(each, name) for each in sampled]) for name in ("pixels", "edges"))
    thickness = 2 * pixels.sum(axis=0) / np.maximum(1, edges.sum(axis=0)) / SUBPIXELS
    counts = np.count_nonzero(pixels, axis=0) >= min(LEAST_MASKS, len(sampled))
    return np.where(counts & (np.arange(len(thickness)) > 0), thickness, np.inf)
