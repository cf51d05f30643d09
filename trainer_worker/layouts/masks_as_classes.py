"""Folders of pictures and of their masks that would pass for class folders: recognised and refused."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from protocol.litter import suffix_of
from protocol.text import printable
from trainer_worker.layouts.mask_words import (
    Role,
    folded,
    folder_meaning,
    mask_readings,
    picture_readings,
)
from trainer_worker.layouts.picture_index import PictureIndex, name_of

#: The share of the pictures that must lie in such folders, and of their names that must have a mask.
_LEAST_SHARE = 0.5
#: Fewer pictures may have names in common by chance.
_LEAST_PAIRS = 4
#: Words that say of a PNG file that it is a mask. Others (`label`, `target`) are also those of photos.
_SURE_MASKS = frozenset({"mask", "masks", "segmentation", "seg", "gt", "groundtruth"})


def refuse_masks_as_classes(index: PictureIndex, class_folders: Sequence[str]) -> None:
    """Raise layout_unsupported if the pictures of the classes are really photos and masks.

    They are if all class folders are called as folders of pictures or of masks (`Original/`, `Ground Truth/`) and their
    names pair, or if folders of both kinds lie side by side inside the classes (`siteA/images/`, `siteA/masks/`).
    """
    _refuse_masks_beside(index, class_folders)
    pair = _pair(index, class_folders) or _pair_inside(index, class_folders)
    if pair:
        named = ", ".join(f"{printable(folder)}/" for folder in pair)
        raise TrainingError(
            "layout_unsupported",
            f"This looks like a set of pictures with masks ({named}). Classification needs one class for each whole "
            "picture. Post it with trainType=segmentation, or sort the pictures into one folder for each class. If "
            "these folders are your classes, rename them.",
        )


def like_masks(index: PictureIndex, class_folders: Sequence[str]) -> list[Finding]:
    """A finding on two folders of any name with the same files, as PNG in one of them, as masks are kept."""
    if len(class_folders) != 2:
        return []
    kinds = [{suffix_of(path) for path in index.all_below(folder)} for folder in class_folders]
    stems = [_stems(index, folder) for folder in class_folders]
    if kinds[0] == kinds[1] or {".png"} not in kinds or len(stems[0]) < _LEAST_PAIRS or stems[0] != stems[1]:
        return []
    photos, masks = sorted(class_folders, key=lambda folder: kinds[class_folders.index(folder)] == {".png"})
    sentence = (
        f"The files in {printable(masks)}/ have the names of those in {printable(photos)}/ and are PNG files, as masks "
        "of pictures are. Both folders are classes all the same."
    )
    cure = "If they are masks, post the project with trainType=segmentation."
    return [finding("like_masks", Severity.WARNING, sentence, cure, [masks])]


def _refuse_masks_beside(index: PictureIndex, class_folders: Sequence[str]) -> None:
    """Raise layout_unsupported if many pictures of the classes have a mask beside them.

    It is called like one (`a.png`, `a_mask.png`) or lies in a folder of masks (`a.jpg`, `masks/a.png`).
    """
    masks: list[str] = []
    paths = [path for folder in class_folders for path in index.all_below(folder)]
    named = {path: folded(posixpath.splitext(path)[0]) for path in paths}
    known = {*named.values()}
    for path, whole in named.items():
        if path.lower().endswith(".png") and not known.isdisjoint(_pictures_of_mask(whole)):
            masks.append(path)
    if len(masks) >= _LEAST_SHARE * (len(paths) - len(masks)):
        raise TrainingError(
            "layout_unsupported",
            f"Masks lie beside the pictures in the class folders: {len(masks)}, such as {printable(masks[0])}. A "
            "classifier would learn them as pictures of their class. Move the masks out of the project. To learn the "
            "masks themselves, post it with trainType=segmentation.",
        )


def _pictures_of_mask(path: str) -> list[str]:
    """The pictures beside a PNG file, or around its folder, whose mask it is by its name. All without extension."""
    folder, _, stem = path.rpartition("/")
    readings = mask_readings(stem)
    beside = [each.base for each in readings if each.rank == 1 and each.affix.strip("_-. ") in _SURE_MASKS]
    around, _, name = folder.rpartition("/")
    inside = [each.base for each in readings] if around and name.strip("_-. ") in _SURE_MASKS else []
    return [*(f"{folder}/{base}" for base in beside), *(f"{around}/{base}" for base in inside)]


def _pair(index: PictureIndex, class_folders: Sequence[str]) -> tuple[str, str] | None:
    roles = _by_role(class_folders)
    if roles.keys() != {"picture", "mask"}:
        return None
    masks = {
        reading.base for folder in roles["mask"] for stem in _stems(index, folder) for reading in mask_readings(stem)
    }
    stems = [stem for folder in roles["picture"] for stem in _stems(index, folder)]
    paired = sum(any(base in masks for base, _ in picture_readings(stem)) for stem in stems)
    return (roles["picture"][0], roles["mask"][0]) if paired >= _LEAST_SHARE * len(stems) else None


def _pair_inside(index: PictureIndex, class_folders: Sequence[str]) -> tuple[str, str] | None:
    found: list[tuple[str, str]] = []
    count = 0
    for class_folder in class_folders:
        roles = _by_role(index.folders(class_folder))
        if {"picture", "mask"} <= roles.keys():
            found.append((roles["picture"][0], roles["mask"][0]))
            count += sum(index.below[folder] for role in ("picture", "mask") for folder in roles[role])
    total = sum(index.below[folder] for folder in class_folders)
    return found[0] if found and count >= _LEAST_SHARE * total else None


def _by_role(folders: Iterable[str]) -> dict[str, list[str]]:
    """Folders by what their own name says; "" where it says neither."""
    roles: dict[str, list[str]] = defaultdict(list)
    for folder in folders:
        role: Role = folder_meaning(name_of(folder)).role
        roles[role].append(folder)
    return roles


def _stems(index: PictureIndex, folder: str) -> list[str]:
    return [folded(posixpath.splitext(name_of(path))[0]) for path in index.all_below(folder)]
