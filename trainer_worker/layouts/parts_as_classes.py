"""Parts of a split and of downloads that would pass for class folders, and splits inside of class folders."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.errors import TrainingError
from protocol.text import printable
from trainer_worker.layouts.doubtful_names import alike_form
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.name_lists import some_folders, some_of
from trainer_worker.layouts.part_names import (
    PART_WORDS,
    SET_ASIDE_WORDS,
    is_part_of_download,
    part_of,
    parts_of,
    without_part,
)
from trainer_worker.layouts.picture_index import PictureIndex, name_of


def refuse_parts_as_classes(index: PictureIndex, folders: Sequence[str]) -> None:
    """Raise layout_unclear if folders side by side are the parts of a split or of a download, and no classes."""
    _refuse_parts_without_training(index, folders)
    _refuse_unknown_parts(index, folders)
    _refuse_parts_of_download(folders)


def parts_inside(index: PictureIndex, folders: Sequence[str]) -> set[Part]:
    """The parts into which each class folder is divided; none if no class is.

    Raises layout_unclear if only some of them are, or only in part.
    """
    inside = {folder: _parts_in(index, folder) for folder in folders}
    divided = [folder for folder, parts in inside.items() if parts]
    if not divided or len(folders) < 2:
        return set()
    whole = [
        folder for folder in divided if len(inside[folder]) == len(index.folders(folder)) and not index.loose(folder)
    ]
    if all(Part.TRAIN not in parts.values() for parts in inside.values()) and not any(map(index.loose, divided)):
        raise layout_unclear(
            f"In {some_folders(divided)}, folders are called like the parts of a split, such as "
            f"{some_of(list(inside[divided[0]]))}, but none of them is there to train on.",
            "Call the folders with the pictures to train on train/, or put all pictures of each class directly into "
            "its folder.",
        )
    if others := [folder for folder in folders if folder not in whole]:
        raise layout_unclear(
            f"In {some_folders(divided)}, folders are called like the parts of a split, such as "
            f"{some_of(list(inside[divided[0]]))}, but not all pictures of {some_folders(others)} are divided so.",
            "Divide the pictures of each class into a part to train on and one that scores, or put all of them "
            "directly into the folder of the class.",
        )
    return {part for parts in inside.values() for part in parts.values()}


def _parts_in(index: PictureIndex, folder: str) -> dict[str, Part]:
    """The parts into which a class folder is divided. With pictures beside it, one that scores is enough."""
    names = [name_of(sub) for sub in index.folders(folder)]
    words = {name: PART_WORDS.get(name.casefold(), Part.ANY) for name in names}
    only_parts = Part.ANY not in words.values() and set(words.values()) - {Part.TRAIN}
    return parts_of(names) or (words if only_parts else {})


def _refuse_parts_without_training(index: PictureIndex, folders: Sequence[str]) -> None:
    """`val/` beside `test/`, with class folders in both, are no classes."""
    parts = {part_of(name_of(folder)) for folder in folders if index.folders(folder) and not index.loose(folder)}
    if len(folders) > 1 and len(parts) > 1 and Part.ANY not in parts and all(map(index.folders, folders)):
        raise layout_unclear(
            f"{some_folders(folders)} are parts of a split, but none of them is there to train on.",
            "Name the folder with the pictures to train on train/.",
        )


def _refuse_unknown_parts(index: PictureIndex, folders: Sequence[str]) -> None:
    """`train/` beside `eval/`, with folders of the same names in both, are no classes."""
    around = [
        folder
        for folder in folders
        if index.folders(folder)
        and not index.loose(folder)
        and name_of(folder).casefold().strip(" _-.()0123456789") not in SET_ASIDE_WORDS
    ]
    others = [folder for folder in around if part_of(name_of(folder)) is Part.ANY]
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
