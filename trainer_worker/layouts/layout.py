"""The result of recognising a folder's layout: a ClassLayout for classification, a MaskLayout for segmentation.

Recognition looks at names and small files only (see tree.py). It never opens a picture, and it never guesses: what is
unclear ends in a TrainingError that names the files and the cure.
"""

from __future__ import annotations

import array
import enum
from dataclasses import dataclass

from protocol.data_report import Finding

#: The most classes of masks, with the background. Training holds several maps with a channel for each class at the
#: model's full size: 0.5 GB each for 8 pictures of 512 px.
MAX_CLASSES = 64
MAX_CLASS_NAME_CHARS = 100


class Part(enum.StrEnum):
    """The part of the caller's own split that a picture belongs to; ANY where the caller made none.

    Pictures of VAL and TEST never train. TEST scores the model, or VAL where there is no TEST.
    """

    ANY = ""
    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True)
class LabelledFile:
    """A candidate picture and its class. path: relative to the project, with "/"."""

    path: str
    label: str
    part: Part = Part.ANY


@dataclass(frozen=True)
class UnusedFile:
    """A picture or a mask that is left out, and the reason in plain words."""

    path: str
    reason: str


@dataclass(frozen=True)
class ClassLayout:
    """Pictures with one class each.

    name: the layout's row in table.py. rule: how it was recognised, as a sentence for the report. labels: in the order
    of the model's outputs. pictures: sorted by class, then by path. label_files: small files that the labels
    or the split come from. unused: pictures that a person has left out. looked_at: paths of pictures whose label a
    person has given or confirmed.
    """

    name: str
    rule: str
    labels: tuple[str, ...]
    pictures: tuple[LabelledFile, ...]
    findings: tuple[Finding, ...] = ()
    label_files: tuple[str, ...] = ()
    unused: tuple[UnusedFile, ...] = ()
    looked_at: frozenset[str] = frozenset()


@dataclass(frozen=True)
class MaskFile:
    """A file that holds one value for each pixel."""

    path: str


@dataclass(frozen=True)
class ObjectMasks:
    """Several files, each of which marks one object or one class: (path, class name)."""

    files: tuple[tuple[str, str], ...]


#: One closed outline as x, y, x, y and so on. An array is compact, and a set may have millions of points.
Outline = array.array


@dataclass(frozen=True)
class Polygon:
    """The area of one object. outline: at least three points. holes: outlines that are cut out of it."""

    class_name: str
    outline: Outline[float]
    holes: tuple[Outline[float], ...] = ()


@dataclass(frozen=True)
class Bitmap:
    """The area of one object as a small PNG picture, whose corner lies at (left_px, top_px) of the large one.

    png: the bytes of the file. Its nonzero pixels belong to the object.
    """

    class_name: str
    left_px: int
    top_px: int
    png: bytes


@dataclass(frozen=True)
class RunLengths:
    """The area of one object in COCO's run-length encoding: column by column, background and object in turn.

    counts: the length of each run in pixels, or COCO's compressed text for these numbers.
    """

    class_name: str
    counts: Outline[int] | bytes


@dataclass(frozen=True)
class Drawing:
    """The objects from which a mask is drawn. Later objects cover earlier ones.

    size: (width, height) of the picture in which they were drawn, in pixels; None for the picture as it is.
    in_shares: coordinates are shares (0 to 1) of the picture's sides.
    """

    size: tuple[int, int] | None = None
    objects: tuple[Polygon | Bitmap | RunLengths, ...] = ()
    in_shares: bool = False


Mask = MaskFile | ObjectMasks | Drawing


@dataclass(frozen=True)
class MaskedFile:
    """A candidate picture and what its mask is made from. path: relative to the project, with "/"."""

    path: str
    mask: Mask
    part: Part = Part.ANY


@dataclass(frozen=True)
class ListedClass:
    """A class that a small file lists. number: its value in masks, None if the file gives only its colour."""

    name: str
    number: int | None = None
    colour: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class MaskLayout:
    """Pictures with masks.

    classes: background first, as a small file (classes.txt, labelmap.txt, categories of COCO) lists them; None where
    no file does, so that masks only tell foreground from background. unused: pictures and masks without a partner.
    classes_file: the path of a classes.txt, which the trainer reads. The rest is as in ClassLayout.
    """

    name: str
    rule: str
    classes: tuple[ListedClass, ...] | None
    pictures: tuple[MaskedFile, ...]
    findings: tuple[Finding, ...] = ()
    unused: tuple[UnusedFile, ...] = ()
    classes_file: str = ""
