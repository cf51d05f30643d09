"""A file that may be a picture or a mask, and whether two of them may belong together."""

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from trainer_worker.layouts.layout import Part
from trainer_worker.layouts.mask_words import MASK_FOLDERS, PICTURE_FOLDERS, FolderMeaning, folded

_PARTS = frozenset(part.value for part in Part)
_WORD = re.compile(r"[^\W_]+")


class NamedFile(NamedTuple):
    """A file that may be a picture or a mask. meaning: of its folder. stem, suffix: of its name, folded."""

    path: str
    meaning: FolderMeaning
    stem: str
    suffix: str

    @property
    def place_in_any_part(self) -> tuple[str, ...]:
        """Its place, and that of files like it in the other parts of a split."""
        return tuple(name for name in self.meaning.place if name not in _PARTS)

    @property
    def words_of_place(self) -> list[str]:
        """The words of its place that mean neither pictures nor masks."""
        words = [word for name in self.meaning.place for word in _WORD.findall(name)]
        return [word for word in words if word not in PICTURE_FOLDERS and word not in MASK_FOLDERS]


def named_file(path: str, meaning: FolderMeaning) -> NamedFile:
    stem, dot, suffix = folded(path[path.rfind("/") + 1 :]).rpartition(".")
    return NamedFile(path, meaning, stem, "." + suffix) if stem else NamedFile(path, meaning, dot + suffix, "")


def parts_fit(picture: NamedFile, mask: NamedFile) -> bool:
    """Whether they may belong together: no part of a split, or the same one."""
    parts = {picture.meaning.part, mask.meaning.part} - {Part.ANY}
    return len(parts) < 2


def places_fit(picture: NamedFile, mask: NamedFile) -> bool:
    """Whether one lies where the other does, or in a folder below it."""
    places = sorted((picture.meaning.place, mask.meaning.place), key=len)
    return places[1][: len(places[0])] == places[0]


def may_share(base: str, picture: NamedFile, mask: NamedFile) -> bool:
    """Whether this common part of their names can pair them, wherever they lie.

    A number alone can't if they lie in folders of other names, since the files of each folder are counted from 1.
    """
    is_name = any(map(str.isalpha, base)) or picture.words_of_place == mask.words_of_place
    return is_name and parts_fit(picture, mask)


def same_spelling(picture: NamedFile, mask: NamedFile) -> bool:
    """Whether the mask's name holds the picture's name with the same capitals."""
    return posixpath.splitext(posixpath.basename(picture.path))[0] in posixpath.basename(mask.path)
