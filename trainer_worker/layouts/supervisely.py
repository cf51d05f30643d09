"""Supervisely: meta.json with the classes, and in each dataset img/ beside ann/ with a JSON file for each picture."""

from __future__ import annotations

import base64
import binascii
import posixpath
import zlib
from typing import Annotated

import msgspec
from msgspec import Meta

from trainer_worker.layouts.annotation_files import AnnotationError, outline_through, rectangle
from trainer_worker.layouts.drawn_masks import DrawnMasks, class_name
from trainer_worker.layouts.layout import Bitmap, Drawing, MaskLayout, Part, Polygon
from trainer_worker.layouts.part_names import PART_WORDS
from trainer_worker.layouts.row import LayoutRow

ROW = LayoutRow(
    "supervisely",
    "segmentation",
    "datasets with `img/` beside `ann/`, where `ann/a.jpg.json` belongs to `img/a.jpg`, and `meta.json`",
    "polygons with their holes, rectangles and bitmaps are drawn in their order. Datasets or tags named train, val and "
    "test are the split",
)
WHAT = "a Supervisely export"
_Side = Annotated[float, Meta(ge=1, le=100_000)]
_Place = Annotated[int, Meta(ge=-100_000, le=100_000)]
#: A bitmap of a 100-megapixel picture compresses to far less.
MAX_PNG_BYTES = 16 * 1024**2


class _Size(msgspec.Struct):
    height: _Side
    width: _Side


class _Points(msgspec.Struct):
    exterior: list[tuple[float, float]] = []
    interior: list[list[tuple[float, float]]] = []


class _Bitmap(msgspec.Struct):
    data: str
    origin: tuple[_Place, _Place]


class _Object(msgspec.Struct, rename="camel"):
    class_title: str
    geometry_type: str = "polygon"
    points: _Points | None = None
    bitmap: _Bitmap | None = None


class _Tag(msgspec.Struct):
    name: str = ""


class SuperviselyFile(msgspec.Struct):
    size: _Size
    objects: list[_Object]
    tags: list[_Tag] = []


class _Class(msgspec.Struct):
    title: str


class SuperviselyMeta(msgspec.Struct):
    classes: list[_Class]


def recognise_supervisely(paths: list[str], metas: list[str], drawn: DrawnMasks) -> MaskLayout | None:
    """paths: a file for each picture. metas: the lists of classes."""
    for path in metas:
        try:
            drawn.listed += [class_name(found.title) for found in drawn.files.json(path, SuperviselyMeta).classes]
        except AnnotationError as error:
            drawn.note(error, path)
    for path in paths:
        picture = None
        try:
            picture = drawn.pictures.find(posixpath.basename(path).removesuffix(".json"), _pictures_of(path))
            if picture is None:
                drawn.missing.append(posixpath.basename(path).removesuffix(".json"))
                continue
            file = drawn.files.json(path, SuperviselyFile)
            objects = [found for item in file.objects if (found := _object(item, drawn)) is not None]
            tagged = {PART_WORDS[tag.name.casefold()] for tag in file.tags if tag.name.casefold() in PART_WORDS}
            part = tagged.pop() if len(tagged) == 1 else Part.ANY
            drawn.add(picture, Drawing((int(file.size.width), int(file.size.height)), tuple(objects)), path, part)
        except AnnotationError as error:
            drawn.note(error, path, picture)
    return drawn.layout(WHAT)


def _pictures_of(path: str) -> str:
    return posixpath.join(posixpath.dirname(posixpath.dirname(path)), "img")


def _object(item: _Object, drawn: DrawnMasks) -> Polygon | Bitmap | None:
    name = class_name(item.class_title)
    if item.bitmap is not None:
        return Bitmap(name, *item.bitmap.origin, _png(item.bitmap.data))
    points = item.points or _Points()
    if item.geometry_type == "rectangle" and len(points.exterior) == 2:
        found = rectangle(*points.exterior[0], *points.exterior[1])
    elif item.geometry_type in ("polygon", "rectangle"):
        found = outline_through(points.exterior)
    else:
        found = None
    if found is None:
        drawn.without_area += 1
        return None
    holes = tuple(hole for ring in points.interior if (hole := outline_through(ring)) is not None)
    return Polygon(name, found, holes)


def _png(data: str) -> bytes:
    """The bytes of a PNG file. The export holds them compressed by zlib, as Base64."""
    try:
        unpacking = zlib.decompressobj()
        png = unpacking.decompress(base64.b64decode(data, validate=True), MAX_PNG_BYTES)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise AnnotationError("it has a bitmap that can't be unpacked") from error
    if unpacking.unconsumed_tail:
        raise AnnotationError(f"it has a bitmap of more than {MAX_PNG_BYTES // 1024**2} MB")
    return png
