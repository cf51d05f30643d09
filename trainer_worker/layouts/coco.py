"""COCO: one JSON file with pictures, categories and objects, for the whole set or for each part of the split."""

from __future__ import annotations

import array
import posixpath
from collections import defaultdict
from typing import Annotated

import msgspec
from msgspec import Meta

from trainer_worker.layouts.annotation_files import MAX_POINTS, AnnotationError, as_json, outline
from trainer_worker.layouts.drawn_masks import BOX_ONLY, DrawnMasks, boxes_only, class_name, in_order
from trainer_worker.layouts.layout import Drawing, MaskLayout, Polygon, RunLengths
from trainer_worker.layouts.part_names import part_of
from trainer_worker.layouts.row import LayoutRow

ROW = LayoutRow(
    "coco",
    "segmentation",
    "JSON files with `images`, `annotations` and `categories`, such as `annotations/instances_train.json` or "
    "Roboflow's `train/_annotations.coco.json`",
    "polygons and run lengths are drawn, in the order of the file. Names and folders with train, val and test are the "
    "split",
)
WHAT = "a COCO export"
_MOST_SIDE_PX = 100_000
_Side = Annotated[int, Meta(ge=0, le=_MOST_SIDE_PX)]
#: Some tools write 640.0.
_WrittenSide = Annotated[float, Meta(ge=0, le=_MOST_SIDE_PX)]
_Id = int | str


class _Image(msgspec.Struct):
    id: _Id
    file_name: str
    width: _WrittenSide | None = None
    height: _WrittenSide | None = None


class _Annotation(msgspec.Struct):
    image_id: _Id
    category_id: int = 0
    segmentation: msgspec.Raw = msgspec.Raw(b"null")


class _Category(msgspec.Struct):
    id: int
    name: str


class CocoFile(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


class _RunLengths(msgspec.Struct):
    size: tuple[_Side, _Side]
    counts: list[Annotated[int, Meta(ge=0, le=2**31)]] | str


def recognise_coco(paths: list[str], drawn: DrawnMasks) -> MaskLayout | None:
    """The masks of these COCO files. Raises TrainingError layout_unsupported if they hold boxes only."""
    chosen = [path for path in paths if posixpath.basename(path).startswith("instances")] or paths
    objects = 0
    for path in chosen:
        try:
            objects += _read(path, drawn.files.json(path, CocoFile), drawn)
        except AnnotationError as error:
            drawn.note(error, path)
    if drawn.left_out and not objects and all(reason == BOX_ONLY for reason in drawn.left_out.values()):
        raise boxes_only(f"{chosen[0]} is a COCO export of boxes, without outlines of the objects.")
    return drawn.layout(WHAT)


def _read(path: str, file: CocoFile, drawn: DrawnMasks) -> int:
    """Add the pictures of one file; returns how many objects have an outline."""
    names = {category.id: class_name(category.name) for category in file.categories}
    drawn.listed += in_order(names)
    of_image: dict[_Id, list[_Annotation]] = defaultdict(list)
    for annotation in file.annotations:
        of_image[annotation.image_id].append(annotation)
    part = part_of(posixpath.splitext(posixpath.basename(path))[0])
    near = posixpath.dirname(path)
    outlined = 0
    for image in file.images:
        try:
            picture = drawn.pictures.find(image.file_name, near, part)
        except AnnotationError as error:
            drawn.note(error, path)
            continue
        if picture is None:
            drawn.missing.append(image.file_name)
            continue
        try:
            drawing = _drawing(image, of_image[image.id], names, drawn)
            outlined += len(drawing.objects)
            drawn.add(picture, drawing, path, part)
        except AnnotationError as error:
            drawn.note(error, path, picture)
    return outlined


def _drawing(image: _Image, annotations: list[_Annotation], names: dict[int, str], drawn: DrawnMasks) -> Drawing:
    size = (int(image.width), int(image.height)) if image.width and image.height else None
    objects: list[Polygon | RunLengths] = []
    for annotation in annotations:
        if annotation.category_id not in names:
            raise AnnotationError(f"an object of it has the category {annotation.category_id}, which is not listed")
        name, stored = names[annotation.category_id], bytes(annotation.segmentation).strip()
        if stored[:1] == b"{":
            objects.append(RunLengths(name, _counts(stored, size)))
            continue
        rings = as_json(stored, list[list[float]] | None)  # type: ignore[arg-type]
        if not rings:
            raise AnnotationError(BOX_ONLY)
        for ring in rings:
            if found := outline(ring):
                objects.append(Polygon(name, found))
            else:
                drawn.without_area += 1
    return Drawing(size, tuple(objects))


def _counts(stored: bytes, size: tuple[int, int] | None) -> array.array[int] | bytes:
    runs = as_json(stored, _RunLengths)
    height, width = runs.size
    if size is None or (width, height) != size:
        raise AnnotationError(f"an object of it has {width} x {height} pixels, the picture has others")
    if len(runs.counts) > 20 * MAX_POINTS:
        raise AnnotationError("an object of it has too many runs")
    if isinstance(runs.counts, str):
        return runs.counts.encode()
    if sum(runs.counts) != width * height:
        raise AnnotationError(f"the runs of an object of it are not {width} x {height} pixels together")
    return array.array("q", runs.counts)
