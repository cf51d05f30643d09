"""Parts of a split and of downloads that would pass for class folders, and splits inside of class folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from protocol.errors import TrainingError
from protocol.text import printable
from trainer_worker.layouts.doubtful_names import alike_form
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.name_lists import some_folders, some_of
from trainer_worker.layouts.part_names import (
    PART_WORDS,
    is_part_of_download,
    is_part_word,
    is_set_aside,
    part_of,
    parts_of,
    without_part,
)
from trainer_worker.layouts.picture_index import PictureIndex, name_of

#: A split inside of class folders is one if at least so many of them, and this share, have a part that scores.
_LEAST_ALIKE = 2
_LEAST_SHARE_ALIKE = 0.5


def refuse_parts_as_classes(index: PictureIndex, folders: Sequence[str]) -> None:
    """Raise layout_unclear if folders side by side are the parts of a split or of a download, and no classes."""
    _refuse_parts_without_training(index, folders)
    _refuse_unknown_parts(index, folders)
    _refuse_parts_of_download(folders)


def divided_classes(
    index: PictureIndex, classes: Sequence[tuple[str, str, Part]]
) -> tuple[tuple[str, str, Part], ...] | None:
    """The folders of the parts into which the classes are divided; None if most of them are not.

    classes, and the result: (label, folder, part). Folders that are set aside in a class are not among the result.
    Raises layout_unclear if most classes are divided, but some of their pictures lie in no part.
    """
    folders = [folder for _, folder, _ in classes]
    inside = {folder: parts_in(index, folder) for folder in folders}
    divided = [folder for folder, parts in inside.items() if {*parts.values()} - {Part.TRAIN}]
    if not _is_common(divided, folders):
        return None
    strays = [stray for folder in folders for stray in _outside_parts(index, folder, inside[folder])]
    parts = {part for found in inside.values() for part in found.values()}
    if Part.TRAIN not in parts and not strays:
        if len(parts) == 1:  # cat/valid/ and dog/valid/ alone: one folder too many, and no split
            return None
        raise layout_unclear(
            f"The class folders {some_folders(divided)} hold parts of a split, such as "
            f"{some_folders(list(inside[divided[0]]))}, but no part to train on.",
            "Call the folders with the pictures to train on train/, or put all pictures of each class directly into "
            "its folder.",
        )
    if strays:
        raise layout_unclear(
            f"The class folders {some_folders(divided)} hold the parts of a split, such as "
            f"{some_folders(list(inside[divided[0]]))}, but there are pictures outside of the parts: "
            f"{some_of(strays)}.",
            "Move these pictures into the parts of their class or out of the project, or undo the split: put all "
            "pictures of each class directly into its folder.",
        )
    return tuple((label, sub, part) for label, folder, _ in classes for sub, part in inside[folder].items())


def parts_in(index: PictureIndex, folder: str) -> dict[str, Part]:
    """The folders of parts in a class folder, or in the only folder in it, with their parts.

    Without a part to train on, or with no other one, they count if all folders are called so.
    """
    around = _around_parts(index, folder)
    names = {name_of(sub): sub for sub in index.folders(around)}
    parts = parts_of(names)
    if not parts:
        parts = {name: PART_WORDS.get(name.casefold(), Part.ANY) for name in names if not is_set_aside(name)}
    return {} if Part.ANY in parts.values() else {names[name]: part for name, part in parts.items()}


def _around_parts(index: PictureIndex, folder: str) -> str:
    """The folder in which the parts of a class lie: its own, or `cat/images/`, if that is all that is in it."""
    while not index.loose(folder) and len(index.folders(folder)) == 1:
        (inner,) = index.folders(folder)
        if is_part_word(name_of(inner)):
            break
        folder = inner
    return folder


def _outside_parts(index: PictureIndex, folder: str, parts: Mapping[str, Part]) -> list[str]:
    """Where pictures of a divided class lie that are in no part and are not set aside."""
    around = _around_parts(index, folder)
    others = [
        f"in {sub}/"
        for sub in index.folders(around)
        if sub not in parts and name_of(sub).casefold() not in PART_WORDS and not is_set_aside(name_of(sub))
    ]
    return [*others, *([f"directly in {around}/"] if index.loose(around) else [])]


def _is_common(some: Sequence[str], folders: Sequence[str]) -> bool:
    """Whether so many class folders are alike in something that it is no name of a single class."""
    return len(some) >= _LEAST_ALIKE and len(some) >= _LEAST_SHARE_ALIKE * len(folders)


def _refuse_parts_without_training(index: PictureIndex, folders: Sequence[str]) -> None:
    """`val/` beside `test/`, with class folders in both, are no classes."""
    parts = {part_of(name_of(folder)) for folder in folders if index.folders(folder) and not index.loose(folder)}
    if len(folders) > 1 and len(parts) > 1 and Part.ANY not in parts and all(map(index.folders, folders)):
        raise layout_unclear(
            f"{some_folders(folders)} are parts of a split, but there is no part to train on.",
            "Name the folder with the pictures to train on train/.",
        )


def _refuse_unknown_parts(index: PictureIndex, folders: Sequence[str]) -> None:
    """`train/` beside `eval/`, with folders of the same names in both, are no classes."""
    around = [
        folder
        for folder in folders
        if index.folders(folder) and not index.loose(folder) and not is_set_aside(name_of(folder))
    ]
    others = [folder for folder in around if not is_part_word(name_of(folder))]
    inside = {folder: {alike_form(name_of(sub)) for sub in index.folders(folder)} for folder in around}
    parts = {part_of(name_of(folder)) for folder in around}
    # Real classes may hold folders of the same names as well (day, night), so only one may lack the name of a part.
    if not {Part.TRAIN, Part.TEST} & parts or len(others) != 1 or len({*map(frozenset, inside.values())}) > 1:
        return
    meant = "test or valid" if Part.TRAIN in parts else "train"
    named = [name_of(folder) for folder in around if folder not in others]
    raise layout_unclear(
        f"{some_folders(around)} hold folders of the same names, such as "
        f"{some_of(sorted(inside[others[0]]), most=3)}, so they seem to be the parts of a split rather than classes.",
        f"If they are, call {printable(name_of(others[0]))} {meant}. If they are classes, give {printable(named[0])} "
        f"another name, such as {printable(without_part(named[0]))}, or put the pictures directly into them.",
    )


def _refuse_parts_of_download(folders: Sequence[str]) -> None:
    parts = [folder for folder in folders if is_part_of_download(name_of(folder))]
    # Classes that were downloaded one by one have other names in front of the number of the part.
    if len(parts) > len({name_of(folder).rpartition("-")[0] for folder in parts}):
        raise layout_unclear(
            f"{some_folders(parts)} are the parts of a download from Google Drive, and no classes.",
            "Unpack all of them into one folder.",
        )


def layout_unclear(sentence: str, cure: str) -> TrainingError:
    return TrainingError("layout_unclear", f"{sentence} {cure}")
