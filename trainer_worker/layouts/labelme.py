"""LabelMe: a JSON file of shapes for each picture, beside it or in a folder of its own."""

from __future__ import annotations

import base64
import binascii
import math
import posixpath
from typing import Annotated

import msgspec
from msgspec import Meta

from trainer_worker.layouts.annotation_files import AnnotationError, ellipse, outline_through, rectangle
from trainer_worker.layouts.drawn_masks import DrawnMasks, class_name
from trainer_worker.layouts.layout import Bitmap, Drawing, MaskLayout, Outline, Polygon
from trainer_worker.layouts.row import LayoutRow

ROW = LayoutRow(
    "labelme",
    "segmentation",
    "a JSON file with `shapes` for each picture, beside it or in a folder of its own",
    "polygons, rectangles, circles and masks are drawn in their order. Points and lines have no area",
)
WHAT = "LabelMe's annotations"
#: Some tools write 640.0.
_Side = Annotated[float, Meta(ge=1, le=100_000)]


class _Shape(msgspec.Struct):
    label: str
    points: list[tuple[float, float]]
    shape_type: str | None = "polygon"
    mask: str | None = None


class LabelMeFile(msgspec.Struct, rename="camel"):
    shapes: list[_Shape]
    image_path: str | None = None
    image_width: _Side | None = None
    image_height: _Side | None = None


def recognise_labelme(paths: list[str], drawn: DrawnMasks) -> MaskLayout | None:
    for path in paths:
        picture = None
        try:
            file = drawn.files.json(path, LabelMeFile)
            picture = _picture(path, file.image_path, drawn)
            if picture is None:
                drawn.missing.append(file.image_path or posixpath.basename(path))
                continue
            width, height = int(file.image_width or 0), int(file.image_height or 0)
            size = (width, height) if width and height else None
            objects = [found for shape in file.shapes if (found := _object(shape, drawn)) is not None]
            drawn.add(picture, Drawing(size, tuple(objects)), path)
        except AnnotationError as error:
            drawn.note(error, path, picture)
    return drawn.layout(WHAT)


def _picture(path: str, named: str | None, drawn: DrawnMasks) -> str | None:
    """The picture that the file names, or the one of the file's own name: pictures get renamed and moved."""
    near = posixpath.dirname(path)
    found = drawn.pictures.find(named, near) if named else None
    return found or drawn.pictures.find(posixpath.splitext(posixpath.basename(path))[0], near)


def _object(shape: _Shape, drawn: DrawnMasks) -> Polygon | Bitmap | None:
    name = class_name(shape.label)
    if shape.shape_type == "mask":
        return _bitmap(name, shape)
    if found := _outline(shape):
        return Polygon(name, found)
    drawn.without_area += 1
    return None


def _outline(shape: _Shape) -> Outline[float] | None:
    points, kind = shape.points, shape.shape_type or "polygon"
    if kind == "polygon":
        return outline_through(points)
    if kind == "rectangle" and len(points) == 2:
        return rectangle(*points[0], *points[1])
    if kind == "circle" and len(points) == 2:
        radius = math.dist(points[0], points[1])
        return ellipse(points[0], (radius, radius))
    if kind in ("rectangle", "oriented_rectangle"):
        return outline_through(points)
    return None


def _bitmap(name: str, shape: _Shape) -> Bitmap:
    if not shape.mask or not shape.points or not all(map(math.isfinite, shape.points[0])):
        raise AnnotationError("it has a shape of the kind mask without one")
    try:
        png = base64.b64decode(shape.mask, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AnnotationError("it has a mask that is not Base64") from error
    left, top = (int(max(-1e6, min(1e6, value))) for value in shape.points[0])
    return Bitmap(name, left, top, png)
