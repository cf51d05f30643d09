"""What the names of folders and files say: whether they are pictures or masks, and of which part of a split."""

from __future__ import annotations

import functools
import posixpath
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, NamedTuple

from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.part_names import PART_WORDS

#: Names of folders that hold pictures, in lower case and without separators.
PICTURE_FOLDERS = frozenset(
    [
        "images",
        "image",
        "imgs",
        "img",
        "imgdir",
        "imagedir",
        "jpegimages",
        "leftimg8bit",
        "camerargb",
        "photos",
        "photo",
        "pictures",
        "picture",
        "pics",
        "pic",
        "inputs",
        "input",
        "originals",
        "original",
        "frames",
        "rgb",
        "bilder",
        "fotos",
        "imagenes",
        "imágenes",
        "imagens",
        "immagini",
    ]
)
#: Names of folders that hold masks, in the same form, with their rank. A picture with masks of several ranks takes the
#: lowest. The others show the same in another way, such as one colour for each object, or serve another purpose.
MASK_FOLDERS = {
    **dict.fromkeys(
        ["1stmanual", "gtfine", "segmentationclass", "segmentationclasspng", "trimaps", "trimap", "masksmachine"], 0
    ),
    **dict.fromkeys(["manual1"], 0),
    **dict.fromkeys(
        [
            "masks",
            "mask",
            "labels",
            "label",
            "labelled",
            "annotations",
            "annotation",
            "annots",
            "annot",
            "anno",
            "anns",
            "ann",
        ],
        1,
    ),
    **dict.fromkeys(
        ["anndir", "maskdir", "labeldir", "groundtruth", "groundtruths", "gt", "gts", "manual", "segmentation"], 1
    ),
    **dict.fromkeys(["segmentations", "seg", "segs", "segmaps", "segmap", "targets", "target", "masken"], 1),
    **dict.fromkeys(["stuffthingmaps", "labeledapproved", "cameraseg", "pixellabeldata"], 1),
    **dict.fromkeys(["mascaras", "máscaras", "masques", "maschere", "maskers"], 1),
    **dict.fromkeys(["segmentationclassnpy", "semantic"], 2),
    **dict.fromkeys(["segmentationobject", "2ndmanual", "gtcoarse", "instances", "instancemasks", "visualization"], 3),
    **dict.fromkeys(["segmentationclassvisualization", "segmentationobjectpng", "segmentationobjectvisualization"], 3),
    **dict.fromkeys(["overlay", "overlays", "viz", "maskshuman", "manual2"], 3),
    **dict.fromkeys(["instance", "panoptic", "semanticrgb", "colormap", "colormaps"], 3),
}
#: Words at the end or the beginning of a mask's name, with their rank as above.
MASK_AFFIXES = {
    **dict.fromkeys(
        ["mask", "masks", "label", "labels", "lbl", "gt", "groundtruth", "seg", "segmentation", "segmented", "segmap"],
        1,
    ),
    **dict.fromkeys(
        [
            "annotation",
            "annot",
            "anno",
            "ann",
            "labeling",
            "truth",
            "trimap",
            "l",
            "manual",
            "manual1",
            "1stho",
            "target",
            "matte",
            "labelids",
        ],
        1,
    ),
    **dict.fromkeys(["maske", "mascara", "máscara", "masque", "maschera", "masker"], 1),
    **dict.fromkeys(["labeltrainids"], 2),
    **dict.fromkeys(
        [
            "color",
            "colour",
            "colors",
            "colours",
            "instanceids",
            "2ndho",
            "manual2",
            "viz",
            "overlay",
            "blend",
            "parts",
            "flows",
        ],
        3,
    ),
}
#: Words that stand before another one of the above, as in `_gtFine_labelIds`, `_cp_masks` and
#: `_ground-truth`.
_BEFORE_AFFIXES = frozenset({"gtfine", "gtcoarse", "cp", "simple", "ground"})
#: Words of a folder whose masks are coloured for people to look at, often beside others with numbers of classes.
_COLOURED = frozenset({"color", "colour"})
#: Words at the end or the beginning of a picture's name which its mask doesn't have.
PICTURE_AFFIXES = frozenset(
    ["leftimg8bit", "sat", "image", "img", "rgb", "original", "orig", "photo", "picture", "training", "test", "input"]
)
#: The end of a picture's name in nnU-Net's sets, whose mask has none: the number of the first channel.
FIRST_CHANNEL = "_0000"
#: Words that mean pictures in a longer name only, as in `Training_Data`.
_PICTURE_TOKENS = frozenset({"data"})
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif"})
#: Parts as nnU-Net writes them: imagesTr, labelsTs.
_SHORT_PARTS = {"tr": Part.TRAIN, "ts": Part.TEST}
_RANK_OF_OTHER_VIEWS = 3
_SEPARATORS = "_-. "
_MARKED = str.maketrans("-. ", "___")
_SEPARATED = re.compile(r"[_\-. ]+")

Role = Literal["picture", "mask", ""]


@dataclass(frozen=True)
class FolderMeaning:
    """What a folder's path says.

    role: what the folder holds; "" if the path doesn't say. place: the path without the words for pictures and masks,
    which is the same for a picture and its mask. rank: of its masks, as in MASK_FOLDERS.
    """

    role: Role
    place: tuple[str, ...]
    part: Part
    rank: int = 1


class Reading(NamedTuple):
    """One way to read a file's name. base: what a picture and its mask have in common, without case.

    affix: the rest, such as `_mask`, without a number; "/mask" where the whole name is that word, "mask<name>" where it
    stands right before a number. numbered: whether a number stood after the affix.
    suffix: the extension of the picture, where the mask's name includes it (`a.jpg.png`), else "".
    """

    base: str
    affix: str = ""
    rank: int = 1
    numbered: bool = False
    suffix: str = ""


def folded(name: str) -> str:
    """A name in the form in which names of pictures and masks are compared: NFC, without case."""
    return name.casefold() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def folder_meaning(path: str) -> FolderMeaning:
    """What a folder's path means, relative to the project, with "/"; "" is the project."""
    parts = path.split("/") if path else []
    role: Role = ""
    rank = 1
    place: list[tuple[str, ...]] = []
    roles_at: list[int] = []
    for index, name in enumerate(parts):
        word = _word_of(name)
        if word.role:
            role, rank = word.role, word.rank
            roles_at.append(index)
        place.append(word.rest)
    for index in roles_at[:-1]:  # the last word decides; the others are names like any other
        place[index] = (folded(parts[index]),)
    flat = tuple(token for tokens in place for token in tokens)
    part = next((PART_WORDS[token] for token in flat if token in PART_WORDS), Part.ANY)
    return FolderMeaning(role, flat, part, rank)


@dataclass(frozen=True)
class _Word:
    role: Role
    rest: tuple[str, ...]
    rank: int = 1


@functools.lru_cache(maxsize=4096)
def _word_of(name: str) -> _Word:
    """One folder's name: its role, and what is left of it."""
    lower = folded(name)
    squeezed = _SEPARATED.sub("", lower)
    if squeezed in PICTURE_FOLDERS:
        return _Word("picture", ())
    if squeezed in MASK_FOLDERS:
        return _Word("mask", (), MASK_FOLDERS[squeezed])
    if squeezed in PART_WORDS:
        return _Word("", (PART_WORDS[squeezed].value,))
    tokens = [token for token in _SEPARATED.split(lower) if token]
    for part in PART_WORDS:  # trainannot, imagesTrain
        if squeezed.startswith(part) or squeezed.endswith(part):
            rest = squeezed.removeprefix(part) if squeezed.startswith(part) else squeezed.removesuffix(part)
            if rest in PICTURE_FOLDERS or rest in MASK_FOLDERS:
                tokens = [part, rest]
    if lower[-2:] in _SHORT_PARTS and (lower[:-2] in PICTURE_FOLDERS or lower[:-2] in MASK_FOLDERS):
        tokens = [_SHORT_PARTS[lower[-2:]], lower[:-2]]
    return _of_tokens(tokens, lower)


def _of_tokens(tokens: list[str], whole: str) -> _Word:
    """A name of several words, such as `train_masks`. Masks are looked for first: `image_masks` holds masks."""
    left = tuple(PART_WORDS[token].value if token in PART_WORDS else token for token in tokens)
    for words, role in ((MASK_FOLDERS, "mask"), (PICTURE_FOLDERS | _PICTURE_TOKENS, "picture")):
        found = [index for index, token in enumerate(tokens) if token in words]
        if found and len(tokens) > 1:
            rest = (*left[: found[-1]], *left[found[-1] + 1 :])
            rank = MASK_FOLDERS[tokens[found[-1]]] if role == "mask" else 1
            rank = rank if _COLOURED.isdisjoint(tokens) else _RANK_OF_OTHER_VIEWS
            others = PICTURE_FOLDERS if role == "mask" else ()
            return _Word(role, tuple(token for token in rest if token not in others), rank)  # type: ignore[arg-type]
    return _Word("", (whole,))


def mask_readings(stem: str) -> list[Reading]:
    """The ways to read a mask's name, the plainest first. stem: the name without its extension, folded."""
    marked = stem.translate(_MARKED)
    readings = [Reading(stem), *_without_affix(stem, marked)]
    tail_at = marked.rfind("_")
    if tail_at > 0 and stem[tail_at + 1 :].isdecimal():
        head = stem[:tail_at]
        numbered = [Reading(head), *_without_affix(head, marked[:tail_at])]
        readings += [Reading(reading.base, reading.affix, reading.rank, True) for reading in numbered]
    if "." in stem:
        readings += _with_inner_suffix(readings)
    return readings


def has_mask_affix(stem: str) -> bool:
    """Whether a name says by itself that the file is a mask. stem: as in mask_readings."""
    marked = stem.translate(_MARKED).strip("_")
    first, _, _ = marked.partition("_")
    before, _, last = marked.rpartition("_")
    if last.isdecimal():
        last = before.rpartition("_")[2]
    return last in MASK_AFFIXES or first in MASK_AFFIXES or _word_before_number(stem) in MASK_AFFIXES


def _without_affix(stem: str, marked: str) -> list[Reading]:
    """Readings of a name that begins or ends with a word for masks. marked: the name with "_" for all separators."""
    tail_at, head_at = marked.rfind("_"), marked.find("_")
    if stem in MASK_AFFIXES:
        return [Reading("", f"/{stem}", MASK_AFFIXES[stem])]
    found = []
    word = _word_before_number(stem)
    if word in MASK_AFFIXES and len(word) > 1:
        found.append(Reading(stem[len(word) :], f"{word}<name>", MASK_AFFIXES[word]))
    if tail_at < 0:
        return found
    last, first = stem[tail_at + 1 :], stem[:head_at]
    if last in MASK_AFFIXES and tail_at > 0:
        before_at = marked.rfind("_", 0, tail_at)
        if before_at > 0 and stem[before_at + 1 : tail_at] in _BEFORE_AFFIXES:
            tail_at = before_at
        base = stem[:tail_at].rstrip(_SEPARATORS)
        found.append(Reading(base, stem[len(base) :], MASK_AFFIXES[last]))
        again_at = marked.rfind("_", 0, len(base))
        word = base[again_at + 1 :]
        if again_at > 0 and word in MASK_AFFIXES and len(word) > 1:  # a_label_ground-truth
            base = stem[:again_at].rstrip(_SEPARATORS)
            found.append(Reading(base, stem[len(base) :], max(MASK_AFFIXES[word], MASK_AFFIXES[last])))
    if first in MASK_AFFIXES and len(first) > 1:
        base = stem[head_at:].lstrip(_SEPARATORS)
        found.append(Reading(base, stem[: len(stem) - len(base)], MASK_AFFIXES[first]))
    return found


def _word_before_number(stem: str) -> str:
    """`mask` of mask12; "" where a name doesn't consist of a word and a number."""
    word = stem.rstrip("0123456789")
    return word if word and len(word) < len(stem) else ""


def _with_inner_suffix(readings: list[Reading]) -> list[Reading]:
    """The readings in which the picture's whole name stands in the mask's, as in `a.jpg.png`."""
    inner = []
    for reading in readings:
        base, suffix = posixpath.splitext(reading.base)
        if suffix in PICTURE_SUFFIXES:
            inner.append(Reading(base, reading.affix, reading.rank, reading.numbered, suffix))
    return inner


def picture_readings(stem: str) -> list[tuple[str, str]]:
    """The ways to read a picture's name as (base, affix), the plainest first. stem: as in mask_readings."""
    marked = stem.translate(_MARKED)
    tail_at, head_at = marked.rfind("_"), marked.find("_")
    readings = [(stem, "")]
    if stem in PICTURE_AFFIXES:
        readings.append(("", f"/{stem}"))
    word = _word_before_number(stem)
    if word in PICTURE_AFFIXES:
        readings.append((stem[len(word) :], f"{word}<name>"))
    if tail_at < 0:
        return readings
    if tail_at > 0 and (stem[tail_at + 1 :] in PICTURE_AFFIXES or stem[tail_at:] == FIRST_CHANNEL):
        readings.append((stem[:tail_at], stem[tail_at:]))
    if head_at > 0 and stem[:head_at] in PICTURE_AFFIXES:
        readings.append((stem[head_at + 1 :], stem[: head_at + 1]))
    return readings
