"""Draws training folders from a set of class folders, and keeps the pictures apart that the product never sees.

Copies and series of one picture stay together: no unseen picture has a copy in the folder.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.copies import find_copies
from trainer_worker.pictures.images import read_rgb
from trainer_worker.pictures.likeness import thumbnail
from trainer_worker.pictures.splits import conflicts
from trainer_worker.pictures.user_files import UserFiles

#: At least this share of each class is never shown to the product.
UNSEEN_SHARE = 0.2
#: A class with fewer unseen pictures says too little of the truth.
LEAST_UNSEEN = 15
#: The size at which pictures are compared, in pixels.
COMPARED_SIDE_PX = 96
COPIED_SHARE = 0.2
COPY_QUALITIES = (35, 90)
MISLABELLED_SHARE = 0.05
KINDS = ("plain", "duplicated", "imbalanced", "small", "mislabelled")

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SourceSet:
    """A set of pictures. labels[classes[i]] is what files[i] shows; copies and series share their number in groups."""

    name: str
    labels: tuple[str, ...]
    files: tuple[Path, ...]
    classes: Rows
    groups: Rows


def read_set(folder: Path) -> SourceSet:
    """A set of class folders, without the pictures that stand in several classes: their truth is not known.

    Raises ValueError if two pictures of a class have one name: they would overwrite each other in a drawn folder.
    """
    found = scan_class_folders(UserFiles.at(folder))
    places = [(label, path.name) for label, path in zip(found.classes.tolist(), found.files, strict=True)]
    if len(set(places)) < len(places):
        raise ValueError(f"In {folder}, two pictures of a class have the same name. Give each a name of its own.")
    side = (COMPARED_SIDE_PX, COMPARED_SIDE_PX)
    thumbnails = np.stack([thumbnail(read_rgb(found.reader, path, side)) for path in found.files])
    names = [found.name_of(row) for row in range(len(found.files))]
    groups = find_copies(names, content_hashes(found.reader.files, found.files), thumbnails).together
    unclear = [row for rows in conflicts(groups, found.classes) for row in rows.tolist()]
    kept = np.setdiff1d(np.arange(len(found.files)), unclear)
    files = tuple(found.files[row] for row in kept)
    return SourceSet(folder.name, found.labels, files, found.classes[kept], groups[kept])


@dataclass(frozen=True)
class Draw:
    """Rows of a set: those that go into the folder, and those that the product never sees. Sorted."""

    taken: Rows
    unseen: Rows


def wanted_counts(kind: str, classes: int, size: int, seed: int) -> list[int]:
    """How many pictures of each class a folder of this kind has.

    size: of a class in a plain folder. With 60, an imbalanced folder has classes from 100 down to 60 and one of 12, and
    a small one has classes of 12 to 20. The seed chooses which class is which.
    """
    rng = np.random.default_rng(seed)
    if kind == "imbalanced":
        counts = np.linspace(size * 5 / 3, size, classes - 1).round().astype(int).tolist()
        return [int(count) for count in rng.permutation([*counts, max(4, round(size / 5))])]
    if kind == "small":
        return [int(count) for count in rng.integers(round(size / 5), round(size / 3) + 1, classes)]
    return [size] * classes


def draw(source: SourceSet, counts: Sequence[int], seed: int, most_unseen: int) -> Draw:
    """Take up to counts[c] pictures of each class c for the folder; up to most_unseen of the others are unseen."""
    rng = np.random.default_rng(seed)
    taken: list[int] = []
    unseen: list[int] = []
    for label, count in enumerate(counts):
        rows = np.flatnonzero(source.classes == label)
        room = min(count, len(rows) - max(LEAST_UNSEEN, math.ceil(UNSEEN_SHARE * len(rows))))
        left: list[int] = []
        for group in rng.permutation(np.unique(source.groups[rows])):
            together = rows[source.groups[rows] == group].tolist()
            if len(together) <= room:
                taken += together
                room -= len(together)
            else:
                left += together
        unseen += rng.permutation(left)[:most_unseen].tolist()
    return Draw(np.sort(np.array(taken, np.int64)), np.sort(np.array(unseen, np.int64)))


def shortage(source: SourceSet, counts: Sequence[int], drawn: Draw) -> str:
    """A sentence on the classes that have fewer pictures in the folder than wanted, or ""."""
    got = np.bincount(source.classes[drawn.taken], minlength=len(counts))
    few = [
        f"{source.labels[label]} {got[label]} of {count}" for label, count in enumerate(counts) if got[label] < count
    ]
    return f"The set lacks pictures, so the folder has fewer of: {', '.join(few)}." if few else ""


def lay_out(source: SourceSet, rows: Rows, project: Path) -> None:
    """Copy these pictures into a project's class folders, under their own names: names tell of series."""
    for row in rows.tolist():
        target = project_file(source, row, project)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.files[row], target)


def project_file(source: SourceSet, row: int, project: Path) -> Path:
    """Where lay_out puts a picture."""
    label: str = source.labels[source.classes[row]]
    return project / "images" / label / source.files[row].name


def save_again(source: SourceSet, rows: Rows, project: Path, seed: int) -> None:
    """Save a fifth of these pictures a second time, beside the first, at another JPEG quality."""
    rng = np.random.default_rng(seed)
    for row in rng.choice(rows, round(COPIED_SHARE * len(rows)), replace=False).tolist():
        file = project_file(source, row, project)
        with Image.open(file) as image:
            quality = int(rng.integers(*COPY_QUALITIES))
            ImageOps.exif_transpose(image).convert("RGB").save(
                file.with_name(f"{file.stem} saved again.jpg"), quality=quality
            )


def mislabel(source: SourceSet, rows: Rows, project: Path, seed: int) -> set[str]:
    """Move 5 % of these pictures to the folder of another class. Returns their paths relative to the project."""
    rng = np.random.default_rng(seed)
    moved = set()
    for row in rng.choice(rows, max(1, round(MISLABELLED_SHARE * len(rows))), replace=False).tolist():
        file = project_file(source, row, project)
        others = [label for number, label in enumerate(source.labels) if number != source.classes[row]]
        target = file.parent.parent / str(rng.choice(others)) / f"{file.stem} moved{file.suffix}"
        file.rename(target)
        moved.add(target.relative_to(project).as_posix())
    return moved
