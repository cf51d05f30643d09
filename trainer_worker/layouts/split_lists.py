"""Lists of pictures for each part of the caller's own split: ImageSets/Segmentation/train.txt, or train.txt."""

from __future__ import annotations

import posixpath

from trainer_worker.layouts.annotation_files import AnnotationError, AnnotationFiles, PictureNames
from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.part_names import PART_WORDS

_MOST_CHARS_OF_NAME = 1000


def split_lists(files: AnnotationFiles, pictures: PictureNames) -> dict[str, Part]:
    """The part of each picture that a list names. A picture on the lists of two parts has the stricter one: TEST, then
    VAL, so that nothing trains that was meant to score."""
    parts: dict[str, Part] = {}
    for path in sorted(files.tree.files):
        stem, suffix = posixpath.splitext(posixpath.basename(path).lower())
        if suffix != ".txt" or stem not in PART_WORDS or not _may_hold_lists(posixpath.dirname(path)):
            continue
        try:
            lines = files.text(path).splitlines()
        except AnnotationError:
            continue
        for line in lines:
            name = line.strip()[:_MOST_CHARS_OF_NAME]
            try:
                picture = pictures.find(name, posixpath.dirname(path)) if name else None
            except AnnotationError:
                continue
            if picture:
                parts[picture] = max(parts.get(picture, Part.ANY), PART_WORDS[stem], key=_STRICTEST_LAST.index)
    return parts


_STRICTEST_LAST = (Part.ANY, Part.TRAIN, Part.VAL, Part.TEST)


def _may_hold_lists(folder: str) -> bool:
    """ImageSets/Main lists pictures for detection, which may be another split."""
    name = posixpath.basename(folder).lower()
    return name == "segmentation" or (name != "main" and name != "layout" and name != "action")
