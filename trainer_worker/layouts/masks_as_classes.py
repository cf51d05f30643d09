"""Folders of pictures and of their masks that would pass for class folders: recognised and refused or named."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from protocol.data_report import Finding, Severity, finding
from protocol.errors import TrainingError
from protocol.litter import suffix_of
from protocol.text import printable
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.mask_words import (
    Role,
    folded,
    folder_meaning,
    mask_readings,
    picture_readings,
)
from trainer_worker.layouts.picture_index import PictureIndex, folder_of, name_of

#: The share of the pictures that must lie in such folders, and of their names that must have a mask.
_LEAST_SHARE = 0.5
#: Fewer pictures may have names in common by chance.
_LEAST_PAIRS = 4
#: Masks of a single class are only named, since its folder may be called `mask/` for another reason.
_LEAST_CLASSES = 2
#: Words that say of a file that it is a mask, unless it is a JPEG, and of a folder that it holds masks.
_SURE_MASKS = frozenset({"mask", "masks", "segmentation", "seg", "gt", "groundtruth", "ground_truth"})
#: Folders called so hold masks if these are no JPEG files. Photos of labels lie in `labels/` as well.
_LIKELY_MASKS = frozenset({"label", "labels", "annotation", "annotations"})
#: Any of the sure words, to pass over most names quickly.
_MASK_WORD = re.compile(r"(?<![^\W\d_])(?:masks?|segmentation|seg|gt|ground_?truth)(?![^\W\d_])", re.IGNORECASE)
_LOSSLESS = frozenset({".png", ".tif", ".tiff", ".bmp", ".gif"})

#: (label, folder, part) of each class folder.
_Classes = Sequence[tuple[str, str, Part]]


def findings_about_masks(index: PictureIndex, classes: _Classes) -> list[Finding]:
    """Findings on pictures of the classes that may be masks: beside others, or as one of two classes.

    Raises layout_unsupported if the pictures of the classes are really photos and masks. They are if all class folders
    are called as folders of pictures or of masks (`Original/`, `Ground Truth/`) and their names pair, if masks lie
    beside pictures in most classes, or if a folder of masks has a folder for each class.
    """
    class_folders = [folder for _, folder, _ in classes]
    _refuse_masks_of_classes(index, class_folders)
    masks = _masks_beside(index, classes)
    sure = [each for each in masks if each.surely]
    if _in_most_classes(index, classes, sure):
        raise _masks_in_classes(f"{len(sure)}, such as {printable(sure[0].path)}", sure[0].path)
    inside = _pair_inside(index, classes)
    if inside:
        raise _masks_in_classes(f"in {printable(inside)}/ and others", f"{inside}/")
    pair = _pair(index, classes)
    if pair:
        named = ", ".join(f"{printable(folder)}/" for folder in pair)
        raise TrainingError(
            "layout_unsupported",
            f"This looks like a set of pictures with masks ({named}). Classification needs one class for each whole "
            "picture. Post it with trainType=segmentation, or sort the pictures into one folder for each class. If "
            "these folders are your classes, rename them.",
        )
    return [*_named_masks([each.path for each in masks]), *_class_like_masks(index, classes)]


def _named_masks(masks: Sequence[str]) -> list[Finding]:
    if not masks:
        return []
    sentence = (
        f"Pictures in class folders are called like masks of the pictures beside them: {len(masks)}, such as "
        f"{printable(masks[0])}. They are used as pictures of their class all the same."
    )
    cure = "If they are masks, move them out of the project, or post it with trainType=segmentation."
    return [finding("like_masks", Severity.WARNING, sentence, cure, masks)]


def _class_like_masks(index: PictureIndex, classes: _Classes) -> list[Finding]:
    """A finding if the files of one class have the names of those of the other, in a format in which masks are kept."""
    paths: dict[str, list[str]] = defaultdict(list)
    for label, folder, _ in classes:
        paths[label] += index.all_below(folder)
    two = [label for label, found in paths.items() if len(found) >= _LEAST_PAIRS]
    if len(two) != 2 or len(paths[two[0]]) != len(paths[two[1]]):
        return []
    kinds = {label: {suffix_of(path) for path in paths[label]} for label in two}
    for photos, masks in (two, two[::-1]):
        names = {_stem(path) for path in paths[photos]}
        same = all(any(each.base in names for each in mask_readings(_stem(path))) for path in paths[masks])
        if same and len(kinds[masks]) == 1 and kinds[masks] <= _LOSSLESS and kinds[photos] != kinds[masks]:
            sentence = (
                f"The files of the class {printable(masks)} have the names of those of {printable(photos)} and are "
                f"{kinds[masks].pop()[1:].upper()} files, as masks of pictures are. Both are classes all the same."
            )
            cure = "If they are masks, post the project with trainType=segmentation."
            named = [folder for label, folder, _ in classes if label == masks]
            return [finding("like_masks", Severity.WARNING, sentence, cure, named)]
    return []


def _refuse_masks_of_classes(index: PictureIndex, class_folders: Sequence[str]) -> None:
    """Raise layout_unsupported for `masks/cat/` and `masks/dog/` beside `cat/` and `dog/`."""
    for folder in _by_role(class_folders)["mask"]:
        inner = {sub: posixpath.join(folder_of(folder), name_of(sub)) for sub in index.folders(folder)}
        paired = 0
        for sub, pictures in inner.items():
            names = set(_stems(index, pictures)) if pictures in class_folders else set()
            paired += sum(any(each.base in names for each in mask_readings(stem)) for stem in _stems(index, sub))
        if paired >= max(1, _LEAST_SHARE * index.below[folder]):
            raise TrainingError(
                "layout_unsupported",
                f"{printable(folder)}/ holds masks of the pictures in the class folders beside it, and a classifier "
                f"would learn them as a class of their own. Move {printable(folder)}/ out of the project. To learn the "
                "masks themselves, post it with trainType=segmentation. If it is a class, put its pictures directly "
                "into it.",
            )


class _Mask(NamedTuple):
    """A picture that is called like a mask. surely: whether its format is one of masks as well."""

    path: str
    label: str
    surely: bool


def _masks_beside(index: PictureIndex, classes: _Classes) -> list[_Mask]:
    """The pictures of the classes that are masks of others by their names.

    They are called like one (`a.png`, `a_mask.png`) or lie in a folder of masks (`a.jpg`, `masks/a.png`).
    """
    masks: list[_Mask] = []
    for label, folder, _ in classes:
        paths = index.all_below(folder)
        known = {folded(posixpath.splitext(path)[0]) for path in paths}
        places = _folders_of_masks(index, paths)
        for path in paths:
            here = folder_of(path)
            if not places[here] and not _MASK_WORD.search(path, len(here)):
                continue
            lossless = suffix_of(path) in _LOSSLESS
            readings = mask_readings(_stem(path))
            inside = {f"{place}/{each.base}" for place in places[here] for each in readings}
            named = [each for each in readings if each.rank == 1 and each.affix.strip("_-. ") in _SURE_MASKS]
            if not known.isdisjoint(inside):
                if lossless or _plain(name_of(here)) in _SURE_MASKS:
                    masks.append(_Mask(path, label, True))
            elif not known.isdisjoint(f"{folded(here)}/{each.base}" for each in named):
                masks.append(_Mask(path, label, lossless))
    return masks


def _folders_of_masks(index: PictureIndex, paths: Sequence[str]) -> dict[str, list[str]]:
    """For each folder of the pictures those in which the pictures of its masks may lie; none if it holds no masks."""
    places: dict[str, list[str]] = {}
    for folder in {folder_of(path) for path in paths}:
        around = folder_of(folder)
        sure = around and _plain(name_of(folder)) in _SURE_MASKS | _LIKELY_MASKS
        beside = [around, *_by_role(index.folders(around))["picture"]] if sure else []
        places[folder] = [folded(place) for place in beside]
    return places


def _plain(name: str) -> str:
    return folded(name).strip("_-. ")


def _in_most_classes(index: PictureIndex, classes: _Classes, masks: Sequence[_Mask]) -> bool:
    """Whether so many pictures have a mask, in so many classes, that the folder is no set for classification."""
    rest = sum(index.below[folder] for _, folder, _ in classes) - len(masks)
    return bool(masks) and len(masks) >= _LEAST_SHARE * rest and _are_most({each.label for each in masks}, classes)


def _are_most(labels: Set[str], classes: _Classes) -> bool:
    return len(labels) >= max(_LEAST_CLASSES, _LEAST_SHARE * len({label for label, _, _ in classes}))


def _masks_in_classes(what: str, example: str) -> TrainingError:
    return TrainingError(
        "layout_unsupported",
        f"Masks lie beside the pictures in the class folders: {what}. A classifier would learn them as pictures of "
        "their class. Move the masks out of the project. To learn the masks themselves, post it with "
        f"trainType=segmentation. If they are photos, give them other names, and folders such as "
        f"{printable(example[: example.rfind('/') + 1])} too.",
    )


def _pair(index: PictureIndex, classes: _Classes) -> tuple[str, str] | None:
    roles: dict[str, list[str]] = defaultdict(list)
    for label, folder, _ in classes:
        roles[folder_meaning(label).role].append(folder)
    if roles.keys() != {"picture", "mask"}:
        return None
    masks = {
        reading.base for folder in roles["mask"] for stem in _stems(index, folder) for reading in mask_readings(stem)
    }
    stems = [stem for folder in roles["picture"] for stem in _stems(index, folder)]
    paired = sum(any(base in masks for base, _ in picture_readings(stem)) for stem in stems)
    return (roles["picture"][0], roles["mask"][0]) if paired >= _LEAST_SHARE * len(stems) else None


def _pair_inside(index: PictureIndex, classes: _Classes) -> str:
    """The first folder of masks beside one of pictures, if most classes consist of both; "" if not."""
    found: dict[str, str] = {}
    count = 0
    for label, class_folder, _ in classes:
        roles = _by_role(index.folders(class_folder))
        if {"picture", "mask"} <= roles.keys():
            found.setdefault(label, roles["mask"][0])
            count += sum(index.below[folder] for role in ("picture", "mask") for folder in roles[role])
    total = sum(index.below[folder] for _, folder, _ in classes)
    common = count >= _LEAST_SHARE * total and _are_most(found.keys(), classes)
    return next(iter(found.values())) if common else ""


def _by_role(folders: Iterable[str]) -> dict[str, list[str]]:
    """Folders by what their own name says; "" where it says neither."""
    roles: dict[str, list[str]] = defaultdict(list)
    for folder in folders:
        role: Role = folder_meaning(name_of(folder)).role
        roles[role].append(folder)
    return roles


def _stems(index: PictureIndex, folder: str) -> list[str]:
    return [_stem(path) for path in index.all_below(folder)]


def _stem(path: str) -> str:
    return folded(posixpath.splitext(name_of(path))[0])
