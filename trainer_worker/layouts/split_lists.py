"""Lists of pictures for each part of the caller's own split: ImageSets/Segmentation/train.txt, or train.txt."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

from protocol.data_report import Finding, Severity, finding
from trainer_worker.layouts.annotation_files import AnnotationError, AnnotationFiles, PictureNames
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.name_lists import some_of
from trainer_worker.layouts.part_names import PART_WORDS, stricter
from trainer_worker.layouts.tree import Tree

_MOST_CHARS_OF_NAME = 1000


def split_lists(files: AnnotationFiles, names: Callable[[], PictureNames]) -> dict[str, Part]:
    """The part of each picture that a list names. A picture on the lists of two parts has the stricter one: TEST, then
    VAL, so that nothing trains that was meant to score. names: asked only if there are lists."""
    parts: dict[str, Part] = {}
    lists = {path: _part_of_list(path) for path in lists_of_parts(files.tree)}
    if not lists:
        return {}
    pictures = names()
    for path, part in lists.items():
        try:
            lines = files.text(path).splitlines()
        except AnnotationError:
            continue
        for line in lines:
            if picture := _listed(line.strip()[:_MOST_CHARS_OF_NAME], posixpath.dirname(path), pictures):
                parts[picture] = stricter(parts.get(picture, Part.ANY), part)
    return parts


def unused_parts(lists: Sequence[str]) -> list[Finding]:
    """A finding on lists that give pictures parts, but no usable split."""
    sentence = f"The parts of a split in {some_of(lists)} are not used."
    cure = "A split needs a part to train on, called train, and one that scores, called test or valid. "
    cure += "Beside class folders, name the pictures in train.txt and test.txt, or move them into train/ and test/."
    return [finding("unused_parts", Severity.WARNING, sentence, cure, lists)]


def lists_of_parts(tree: Tree) -> list[str]:
    """The files that are called like a list of one part of a split."""
    return [path for path in tree.files if _part_of_list(path) is not Part.ANY]


def _listed(line: str, folder: str, pictures: PictureNames) -> str | None:
    """The picture that a line names. Behind the name a number may stand, as in ImageNet's lists."""
    for name in dict.fromkeys([line, line.partition(" ")[0]]):
        try:
            if name and (picture := pictures.find(name, folder)):
                return picture
        except AnnotationError:
            continue
    return None


def _part_of_list(path: str) -> Part:
    """ANY for what is no such list. ImageSets/Main lists pictures for detection, which may be another split."""
    if not path.endswith(".txt"):
        return Part.ANY
    folder, name = posixpath.split(path.lower())
    if posixpath.basename(folder) in ("main", "layout", "action"):
        return Part.ANY
    return PART_WORDS.get(name.removesuffix(".txt"), Part.ANY)
