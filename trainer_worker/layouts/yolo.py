"""YOLO segmentation: a text file for each picture, with one line for each object.

A line has the number of the class, then x and y of each point as shares of the picture's width and height.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

import msgspec

from protocol.errors import TrainingError
from trainer_worker.layouts.annotation_files import MAX_POINTS, AnnotationError, outline
from trainer_worker.layouts.drawn_masks import BOX_ONLY, DrawnMasks, boxes_only, class_name, in_order
from trainer_worker.layouts.layout import Drawing, MaskLayout, Part, Polygon
from trainer_worker.layouts.mask_words import folded, folder_meaning
from trainer_worker.layouts.row import LayoutRow
from trainer_worker.layouts.split_lists import split_lists
from trainer_worker.layouts.tree import Tree

ROW = LayoutRow(
    "yolo_segmentation",
    "segmentation",
    "`labels/a.txt` for `images/a.jpg`, or both in one folder, with lines of a class number and at least three points. "
    "`data.yaml`, `classes.txt` or `obj.names` names the classes",
    "polygons are drawn in their order. An empty file means background all over; a picture without a file is left "
    "out. Folders named train, val and test, or lists such as `train.txt`, are the split",
)
WHAT = "YOLO's polygons"
_NAME_FILES = ("classes.txt", "obj.names", "labels.txt", "names.txt")
_MAX_CLASS = 9999
_COLUMNS_OF_BOX = 5
#: Outlines may end a little outside of the picture.
_LEAST, _MOST = -0.5, 1.5


class _DataFile(msgspec.Struct):
    names: list[str | int] | dict[int, str | int] = []


def label_files(tree: Tree, pictures: Iterable[str]) -> dict[str, str]:
    """The text file of each picture that has one in the same place: {picture: text file}."""
    texts = {}
    for path in tree.files:
        if path.lower().endswith(".txt"):
            stem = posixpath.splitext(folded(posixpath.basename(path)))[0]
            texts[folder_meaning(posixpath.dirname(path)).place, stem] = path
    if not texts:
        return {}
    found = {}
    for path in pictures:
        stem = posixpath.splitext(folded(posixpath.basename(path)))[0]
        if text := texts.get((folder_meaning(posixpath.dirname(path)).place, stem)):
            found[path] = text
    return found


def recognise_yolo(labels: dict[str, str], drawn: DrawnMasks) -> MaskLayout | None:
    """Raises TrainingError layout_unsupported if all objects are boxes."""
    names = _names(drawn)
    drawn.listed += in_order(names)
    parts = split_lists(drawn.files, lambda: drawn.pictures)
    boxes: list[str] = []
    outlined = 0
    for picture, path in labels.items():
        try:
            objects = _objects(drawn.files.text(path), names)
            outlined += len(objects)
            drawn.add(picture, Drawing(None, tuple(objects), in_shares=True), path, parts.get(picture, Part.ANY))
        except _BoxError:
            boxes.append(picture)
            drawn.leave_out(picture, BOX_ONLY)
        except AnnotationError as error:
            drawn.leave_out(picture, f"its text file can't be used: {error}")
    if boxes and not outlined:
        raise boxes_only(f"This looks like a YOLO detection export: {labels[boxes[0]]} has lines of a class and a box.")
    return drawn.layout(WHAT)


class _BoxError(AnnotationError):
    """A line has the five numbers of a box."""


def _objects(text: str, names: dict[int, str]) -> list[Polygon]:
    objects = []
    for number, line in enumerate(text.splitlines(), start=1):
        columns = line.split(maxsplit=2 * MAX_POINTS + 2)
        if not columns:
            continue
        if len(columns) == _COLUMNS_OF_BOX:
            raise _BoxError(f"line {number} is a box")
        if not (columns[0].isascii() and columns[0].isdigit() and len(columns[0]) < 5):
            raise AnnotationError(f"line {number} begins with {columns[0][:20]!r} instead of a class number")
        try:
            shares = [float(column) for column in columns[1:]]
        except ValueError as error:
            raise AnnotationError(f"line {number} holds something other than numbers") from error
        found = outline(shares)
        if found is None:
            raise AnnotationError(f"line {number} has fewer than three points")
        if min(shares) < _LEAST or max(shares) > _MOST:
            raise AnnotationError(f"line {number} has coordinates that are no shares of the picture's sides")
        objects.append(Polygon(_name(int(columns[0]), names), found))
    return objects


def _name(number: int, names: dict[int, str]) -> str:
    if names and number not in names:
        raise AnnotationError(f"it has the class {number}, but the list of classes names {len(names)}")
    return names.get(number, f"class {number}")


def _names(drawn: DrawnMasks) -> dict[int, str]:
    """Class names by number, from the first list that there is; empty if there is none."""
    tree = drawn.files.tree
    by_name = {posixpath.basename(path).lower(): path for path in sorted(tree.files, key=len, reverse=True)}
    try:
        for path in sorted(tree.files, key=lambda path: (path.count("/"), path)):
            if path.lower().endswith((".yaml", ".yml")) and (names := _yaml_names(drawn, path)):
                return names
        for name in _NAME_FILES:
            if name in by_name:
                lines = drawn.files.text(by_name[name]).rstrip().splitlines()
                return {number: class_name(line) for number, line in enumerate(lines[: _MAX_CLASS + 1])}
    except AnnotationError as error:
        raise TrainingError("bad_classes", f"The list of classes can't be used: {error}. Correct it.") from error
    return {}


def _yaml_names(drawn: DrawnMasks, path: str) -> dict[int, str]:
    content = drawn.files.content(path)
    if len(content) > 256 * 1024:
        return {}
    try:
        found = msgspec.yaml.decode(content, type=_DataFile).names
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise AnnotationError(f"{path} is not the list of classes of a YOLO set ({str(error)[:100]})") from error
    items = found.items() if isinstance(found, dict) else enumerate(found)
    return {number: class_name(str(name)) for number, name in items}
