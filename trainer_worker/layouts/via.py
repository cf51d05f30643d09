"""VGG Image Annotator (VIA): one file with the regions of all pictures, as JSON or as CSV."""

from __future__ import annotations

import csv
import posixpath
from collections import Counter

import msgspec

from protocol.errors import TrainingError
from trainer_worker.layouts.annotation_files import AnnotationError, as_json, ellipse, outline_through, rectangle
from trainer_worker.layouts.drawn_masks import DrawnMasks, class_name
from trainer_worker.layouts.layout import Drawing, MaskLayout, Outline, Polygon
from trainer_worker.layouts.part_names import part_of
from trainer_worker.layouts.row import LayoutRow

ROW = LayoutRow(
    "via",
    "segmentation",
    "a project or an export of the VGG Image Annotator: JSON with `regions`, or CSV with `region_shape_attributes`",
    "polygons, rectangles, circles and ellipses are drawn in their order. The only attribute of the regions, or the "
    "one called class, label, name, type or category, is the class",
)
WHAT = "an export of the VGG Image Annotator"
CSV_COLUMNS = ("filename", "region_shape_attributes", "region_attributes")
_CLASS_ATTRIBUTES = ("class", "label", "name", "type", "category")
FOREGROUND = "foreground"


class _Shape(msgspec.Struct):
    name: str = ""
    all_points_x: list[float] = []
    all_points_y: list[float] = []
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0
    cx: float = 0
    cy: float = 0
    r: float = 0
    rx: float = 0
    ry: float = 0
    theta: float = 0


_Attributes = dict[str, str | dict[str, bool | str] | int | float | bool | None]


class _Region(msgspec.Struct):
    shape_attributes: _Shape = msgspec.field(default_factory=_Shape)
    region_attributes: _Attributes = {}


class ViaPicture(msgspec.Struct):
    filename: str
    regions: list[_Region] | dict[str, _Region] = []


class ViaProject(msgspec.Struct):
    metadata: dict[str, ViaPicture] = msgspec.field(name="_via_img_metadata")


def recognise_via(paths: list[str], drawn: DrawnMasks) -> MaskLayout | None:
    for path in paths:
        try:
            found = _csv_pictures(drawn.files.text(path)) if path.lower().endswith(".csv") else _pictures(path, drawn)
            _add(path, found, drawn)
        except AnnotationError as error:
            drawn.note(error, path)
    return drawn.layout(WHAT)


def _pictures(path: str, drawn: DrawnMasks) -> list[tuple[str, list[_Region]]]:
    content = drawn.files.content(path)
    try:
        files = as_json(content, ViaProject).metadata
    except AnnotationError:
        files = as_json(content, dict[str, ViaPicture])
    return [
        (item.filename, item.regions if isinstance(item.regions, list) else list(item.regions.values()))
        for item in files.values()
    ]


def _csv_pictures(text: str) -> list[tuple[str, list[_Region]]]:
    """The pictures of a CSV file with their regions. The rows of one picture may stand apart."""
    regions: dict[str, list[_Region]] = {}
    try:
        for row in csv.DictReader(text.splitlines()):
            of_picture = regions.setdefault(row["filename"] or "", [])
            if (shape := row["region_shape_attributes"]) and shape != "{}":
                attributes = as_json((row["region_attributes"] or "{}").encode(), _Attributes)
                of_picture.append(_Region(as_json(shape.encode(), _Shape), attributes))
    except (csv.Error, KeyError) as error:
        raise AnnotationError(f"it is damaged ({error})") from error
    return list(regions.items())


def _add(path: str, pictures: list[tuple[str, list[_Region]]], drawn: DrawnMasks) -> None:
    attribute = _class_attribute(path, pictures)
    near, part = posixpath.dirname(path), part_of(posixpath.splitext(posixpath.basename(path))[0])
    for name, regions in pictures:
        picture = drawn.pictures.find(name, near, part)
        if picture is None:
            drawn.missing.append(name)
            continue
        try:
            objects = []
            for region in regions:
                if found := _outline(region.shape_attributes):
                    objects.append(Polygon(_class_of(region, attribute), found))
                else:
                    drawn.without_area += 1
            drawn.add(picture, Drawing(None, tuple(objects)), path, part)
        except AnnotationError as error:
            drawn.leave_out(picture, str(error))


def _class_attribute(path: str, pictures: list[tuple[str, list[_Region]]]) -> str | None:
    """The attribute that names the class; None if regions have none. Raises TrainingError layout_unclear."""
    names = Counter(name for _, regions in pictures for region in regions for name in region.region_attributes)
    known = [name for name in names if name.casefold() in _CLASS_ATTRIBUTES]
    if len(names) <= 1 or len(known) == 1:
        return next(iter(known or names), None)
    raise TrainingError(
        "layout_unclear",
        f"The regions in {path} have the attributes {', '.join(sorted(names))[:200]}, and it is unclear which one is "
        "the class. Rename that one to class, and export again.",
    )


def _class_of(region: _Region, attribute: str | None) -> str:
    if attribute is None:
        return FOREGROUND
    value = region.region_attributes.get(attribute)
    if isinstance(value, dict):  # checkboxes
        chosen = [name for name, is_on in value.items() if is_on in (True, "true")]
        if len(chosen) != 1:
            raise AnnotationError(f"it has a region with {len(chosen)} classes; one is needed")
        return class_name(chosen[0])
    if value is None or value == "":
        raise AnnotationError(f"it has a region without {attribute}")
    return class_name(str(value))


def _outline(shape: _Shape) -> Outline[float] | None:
    if shape.name == "polygon":
        if len(shape.all_points_x) != len(shape.all_points_y):
            raise AnnotationError("it has a polygon with different numbers of x and y coordinates")
        return outline_through(zip(shape.all_points_x, shape.all_points_y, strict=True))
    if shape.name == "rect":
        return rectangle(shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
    if shape.name == "circle":
        return ellipse((shape.cx, shape.cy), (shape.r, shape.r))
    if shape.name == "ellipse":
        return ellipse((shape.cx, shape.cy), (shape.rx, shape.ry), shape.theta)
    return None
