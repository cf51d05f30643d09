"""Reads small files of annotations. They are a stranger's: bounded, typed, and pictures are only looked up by name."""

from __future__ import annotations

import array
import math
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from protocol.litter import may_be_picture
from trainer_worker.layouts.layout import Outline, Part
from trainer_worker.layouts.mask_words import folded, folder_meaning
from trainer_worker.layouts.tree import MAX_SMALL_FILE_BYTES, Tree
from trainer_worker.pictures.user_files import RefusedFileError

#: All that is read of a project together. LabelMe's files may hold the pictures themselves.
MAX_TOTAL_BYTES = 8 * 1024**3
#: No outline of an object has more points.
MAX_POINTS = 100_000
MAX_OBJECTS_OF_PICTURE = 20_000

T = TypeVar("T")


class AnnotationError(Exception):
    """A file or a part of it that can't be used. Its text is a short sentence that begins with "it"."""


class AnnotationFiles:
    """Reads the annotation files of one project, each at most MAX_SMALL_FILE_BYTES and all at most MAX_TOTAL_BYTES."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self._left_bytes = MAX_TOTAL_BYTES

    def content(self, path: str) -> bytes:
        """The bytes of a file. Raises AnnotationError, as do `text` and `json`."""
        size_bytes = self.tree.files.get(path, 0)
        if size_bytes > MAX_SMALL_FILE_BYTES:
            raise AnnotationError(f"it is larger than {MAX_SMALL_FILE_BYTES // 1024**2} MB; split it")
        if size_bytes > self._left_bytes:
            raise AnnotationError(f"it and the others together are larger than {MAX_TOTAL_BYTES // 1024**3} GB")
        try:
            content = self.tree.read_small(path)
        except RefusedFileError as refused:
            raise AnnotationError(refused.reason) from refused
        if content is None:
            raise AnnotationError("it is missing")
        self._left_bytes -= len(content)
        return content

    def text(self, path: str) -> str:
        try:
            return self.content(path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise AnnotationError(f"it is not UTF-8 text (byte {error.start})") from error

    def json(self, path: str, kind: type[T]) -> T:
        return as_json(self.content(path).removeprefix(b"\xef\xbb\xbf"), kind)


def as_json(content: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Raises AnnotationError for what is no JSON, or JSON of another shape."""
    try:
        return msgspec.json.decode(content, type=kind)
    except RecursionError as error:
        raise AnnotationError("its JSON is nested too deeply") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise AnnotationError(f"it holds unexpected JSON ({str(error)[:200]})") from error


class PictureNames:
    """Finds the picture that a file of annotations names. A name is looked up, never opened."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = sorted(path for path in paths if may_be_picture(posixpath.basename(path)))
        self._by_path = {folded(path): path for path in self.paths}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for path in self.paths:
            name = folded(posixpath.basename(path))
            self._by_name[name].append(path)
            self._by_stem[posixpath.splitext(name)[0]].append(path)

    def find(self, name: str, near: str = "", part: Part = Part.ANY) -> str | None:
        """The picture of that name, as seen from the folder `near`; None if there is none.

        part: that of the annotations, if they have one. Raises AnnotationError if several have it.
        """
        name = folded(name.replace("\\", "/"))
        for path in (posixpath.join(folded(near), name), name):
            if found := self._by_path.get(posixpath.normpath(path)):
                return found
        last = posixpath.basename(name)
        found_all = self._by_name.get(last) or self._by_stem.get(posixpath.splitext(last)[0]) or []
        # Of several with the name, the one whose folders agree best with the name as it is written.
        if len(found_all) > 1:
            for fits in (
                lambda path: bool(near) and path.startswith(f"{near}/"),
                lambda path: part and folder_meaning(posixpath.dirname(path)).part == part,
                lambda path: (
                    folded(path).endswith(f"/{name}") or folded(posixpath.splitext(path)[0]).endswith(f"/{name}")
                ),
            ):
                found_all = [path for path in found_all if fits(path)] or found_all
        if len(found_all) > 1:
            raise AnnotationError(f"it names {last}, which is the name of {found_all[0]} and of {found_all[1]}")
        return found_all[0] if found_all else None


def outline(numbers: Sequence[float]) -> Outline[float] | None:
    """x and y in turn as an outline; None if it has fewer than three points, and so no area."""
    if len(numbers) % 2:
        raise AnnotationError("it has an outline with an odd number of coordinates")
    if len(numbers) > 2 * MAX_POINTS:
        raise AnnotationError(f"it has an outline of more than {MAX_POINTS:,} points")
    if not all(map(math.isfinite, numbers)):
        raise AnnotationError("it has a coordinate that is no finite number")
    return array.array("d", numbers) if len(numbers) >= 6 else None


def outline_through(points: Iterable[tuple[float, float]]) -> Outline[float] | None:
    """The outline through these points, (x, y) each; as `outline`."""
    return outline([value for point in points for value in point])


def rectangle(left: float, top: float, right: float, bottom: float) -> Outline[float] | None:
    return outline([left, top, right, top, right, bottom, left, bottom])


def ellipse(centre: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> Outline[float] | None:
    """The outline of an ellipse. turn: its rotation in radians, clockwise in the picture."""
    if not all(map(math.isfinite, (*centre, *radii, turn))):
        raise AnnotationError("it has a coordinate that is no finite number")
    numbers: list[float] = []
    for step in range(_ELLIPSE_POINTS):
        angle = 2 * math.pi * step / _ELLIPSE_POINTS
        across, down = radii[0] * math.cos(angle), radii[1] * math.sin(angle)
        numbers.append(centre[0] + across * math.cos(turn) - down * math.sin(turn))
        numbers.append(centre[1] + across * math.sin(turn) + down * math.cos(turn))
    return outline(numbers)


#: So many that the outline of a circle of 1,000 px is less than half a pixel off.
_ELLIPSE_POINTS = 256
