"""The error for a folder in which nothing tells the classes of pictures apart."""

from __future__ import annotations

import re
from collections import Counter

from protocol.errors import TrainingError
from protocol.litter import ARCHIVE_SUFFIXES, suffix_of
from trainer_worker.layouts.class_lists import why_lists_say_nothing
from trainer_worker.layouts.files_not_read import labels_not_read, pictures_not_read
from trainer_worker.layouts.label_tables import tables_of
from trainer_worker.layouts.name_lists import skipped_sentence, some_of
from trainer_worker.layouts.part_names import parts_of
from trainer_worker.layouts.picture_index import PictureIndex, name_of

_FIRST_WORD = re.compile(r"[^\W\d_]+")
_MOST_PREFIXES = 100
#: The share of the pictures whose names must begin with a word that others have as well.
_LEAST_SHARE = 0.9


def no_class_folders(index: PictureIndex) -> TrainingError:
    """The error no_images of a folder without pictures or class folders: what lies there, and how to arrange it."""
    tree = index.tree
    archives = [path for path in tree.files if suffix_of(path) in ARCHIVE_SUFFIXES]
    if index.paths:
        found = f"{len(index.paths)} images lie there but not in class folders, such as {some_of(index.paths[:3])}"
    elif archives:
        found = f"there are no images there, but archives: {some_of(archives)}"
    else:
        found = "there are no images there"
    hint = "Make one folder for each class, named after it, and put its images inside."
    words = labels_in_names(index)
    if words:
        hint = (
            f"The names of the images begin with {some_of(words)}: make one folder for each of these in images/, and "
            "move the images into the folder of their class."
        )
    elif index.paths:
        hint += " Or list them in labels.csv, with the columns file and label."
    elif archives:
        hint += " Of archives only .zip files are unpacked, and only if all are whole and not encrypted."
    others = _parts_without_classes(index) + why_lists_say_nothing(index) + tables_of(tree).damage()
    others += pictures_not_read(tree) + labels_not_read(tree) + skipped_sentence(tree.skipped)
    return TrainingError("no_images", f"No class folders with images in images/ or projectDir: {found}. {hint}{others}")


def _parts_without_classes(index: PictureIndex) -> str:
    """A sentence, after a blank, if folders side by side were taken for the parts of a split; "" if not."""
    folders = index.folders("")
    parts = [folder for folder in folders if name_of(folder) in parts_of(map(name_of, folders))]
    if not parts:
        return ""
    named = some_of([f"{folder}/" for folder in parts])
    return (
        f" {named} were taken for the parts of a split, and the part that trains holds no class folders. If they are "
        "classes, rename them, such as train to trains."
    )


def labels_in_names(index: PictureIndex) -> list[str]:
    """The words that file names begin with (`cat.0.jpg`), if they seem to stand for classes; else nothing."""
    found = (_FIRST_WORD.match(name_of(path)) for path in index.paths)
    words = Counter(match[0] for match in found if match)
    shared = [word for word, count in words.items() if count > 1]
    covered = sum(words[word] for word in shared)
    if not 1 < len(shared) <= _MOST_PREFIXES or covered < _LEAST_SHARE * len(index.paths):
        return []
    return sorted(shared)
