"""Recognises and refuses exports with masks, boxes or polygons that were posted for classification by mistake."""

from __future__ import annotations

import posixpath
import re

from protocol.errors import TrainingError
from protocol.litter import suffix_of
from protocol.text import printable
from trainer_worker.layouts.class_lists import box_lists
from trainer_worker.layouts.picture_index import PictureIndex, name_of
from trainer_worker.layouts.row import LayoutRow
from trainer_worker.pictures.user_files import RefusedFileError

IMAGE_NAMES = frozenset({"images", "image", "imgs", "img", "jpegimages", "leftimg8bit", "photos", "pictures"})
MASK_NAMES = frozenset({
    "masks", "mask", "labels", "label", "annotations", "annotation", "groundtruth", "ground_truth", "gt", "gtfine",
    "segmentationclass", "segmentationobject", "segmentation", "segmentations", "1st_manual", "trimaps",
})  # fmt: skip
#: Text files hold labels if at least this share of the pictures has one of the same name.
_LEAST_SHARE = 0.5
_MOST_JSON_FILES = 20
_NUMBERS = re.compile(rb"\d+( -?[\d.]+){4}")

ROWS = (
    LayoutRow(
        "other_export",
        "classification",
        "`JPEGImages/` with `Annotations/` or `SegmentationClass/`, `images/` beside `masks/`, `labels/*.txt`, COCO, "
        "LabelMe and CVAT files: an export with masks, boxes or polygons",
        "the task fails with `layout_unsupported`, and the error names the export and the trainType that fits",
    ),
)


def refuse_folders_of_other_exports(index: PictureIndex, here: str) -> None:
    """Raise layout_unsupported if folders in `here` are those of an export with masks or boxes."""
    folders = {name_of(path).casefold(): path for path in index.tree.folders_in(here)}
    if "jpegimages" in folders:
        masks = sorted({"segmentationclass", "segmentationobject"} & folders.keys())
        if masks:
            named = [folders["jpegimages"], *(folders[name] for name in masks)]
            raise _unsupported("Pascal VOC or CVAT export with masks", named, segmentation=True)
        if {"annotations", "imagesets"} & folders.keys():
            named = [folders[name] for name in ("jpegimages", "annotations", "imagesets") if name in folders]
            raise _unsupported("Pascal VOC export with boxes", named, segmentation=False)
    pictures = next((folders[name] for name in sorted(IMAGE_NAMES & folders.keys())), None)
    if pictures is None or not index.below[pictures]:
        return
    for name in sorted(MASK_NAMES & folders.keys()):
        labels = folders[name]
        # With class folders in images/ as well, the folder serves both trainTypes.
        if index.loose(pictures) and index.loose(labels) and len(index.folders(pictures)) < 2:
            raise _unsupported("set of pictures with masks", [pictures, labels], segmentation=True)
        texts = [path for path in index.tree.files_below(labels) if suffix_of(path) in (".txt", ".xml", ".json")]
        if _share_with_text(index.all_below(pictures), texts) >= _LEAST_SHARE:
            _refuse_by_texts(index, texts, [pictures, labels])


def refuse_other_labels(index: PictureIndex) -> None:
    """Raise layout_unsupported if files beside pictures that lie in no class folders hold boxes or polygons."""
    files = index.tree.files
    for suffix in (".txt", ".xml", ".json"):
        texts = [path for path in files if suffix_of(path) == suffix]
        if _share_with_text(index.paths, texts) >= _LEAST_SHARE:
            _refuse_by_texts(index, texts, texts[:3])
    boxes = box_lists(index)
    if boxes:
        raise _unsupported("list of boxes for detection", boxes, segmentation=False)
    names = {name_of(path).casefold(): path for path in files}
    if "annotations.xml" in names:
        raise TrainingError(
            "layout_unsupported",
            f"{printable(names['annotations.xml'])} is CVAT's own XML, which is not read. In CVAT, export tags as "
            "ImageNet 1.0, which makes one folder for each class. Outlines are for trainType=segmentation: export them "
            "as Segmentation mask 1.1.",
        )
    if {"data.yaml", "data.yml"} & names.keys():
        raise _unsupported("YOLO export", [path for name, path in names.items() if name.startswith("data.y")], True)
    json_files = [path for path in files if suffix_of(path) == ".json"]
    for path in json_files[:_MOST_JSON_FILES]:
        if kind := _kind_of_json(index, path):
            raise _unsupported(kind, [path], segmentation=True)


def _share_with_text(pictures: list[str], texts: list[str]) -> float:
    """The share of pictures that have a text file of the same name."""
    stems = {posixpath.splitext(name_of(path))[0] for path in texts}
    if not stems or not pictures:
        return 0.0
    return sum(posixpath.splitext(name_of(path))[0] in stems for path in pictures) / len(pictures)


def _refuse_by_texts(index: PictureIndex, texts: list[str], named: list[str]) -> None:
    suffix = suffix_of(texts[0])
    if suffix == ".xml":
        raise _unsupported("Pascal VOC export with boxes", named, segmentation=False)
    if suffix == ".json" and _has_only_flags(index, texts[0]):
        raise TrainingError(
            "layout_unsupported",
            f"This looks like a LabelMe export of flags without outlines ({printable(texts[0])}), and flags are not "
            "read. Put the pictures into one folder for each class, or list them in labels.csv, with the columns file "
            "and label.",
        )
    if suffix == ".json":
        raise _unsupported("LabelMe export with polygons", named, segmentation=True)
    lines = next((lines for path in texts[:10] if (lines := _content(index, path).split(b"\n"))[0].strip()), [b""])
    if _NUMBERS.match(lines[0]):
        polygons = len(lines[0].split()) > 5
        raise _unsupported(f"YOLO export with {'polygons' if polygons else 'boxes'}", named, segmentation=polygons)


def _has_only_flags(index: PictureIndex, path: str) -> bool:
    content = b"".join(_content(index, path).split())
    return b'"shapes":[]' in content and b'"flags":{"' in content


def _kind_of_json(index: PictureIndex, path: str) -> str:
    content = _content(index, path)
    if b'"annotations"' in content and b'"images"' in content:
        return "COCO export"
    return "VGG Image Annotator export" if b'"regions"' in content and b'"shape_attributes"' in content else ""


def _content(index: PictureIndex, path: str) -> bytes:
    try:
        return index.tree.read_small(path) or b""
    except RefusedFileError:
        return b""


def _unsupported(kind: str, files: list[str], segmentation: bool) -> TrainingError:
    named = ", ".join(f"{path}/" if not suffix_of(path) else path for path in files[:5])
    cure = (
        "Post it with trainType=segmentation, or sort the pictures into one folder for each class."
        if segmentation
        else "Sort the pictures into one folder for each class; boxes are not trained on."
    )
    return TrainingError(
        "layout_unsupported",
        f"This looks like a {kind} ({printable(named)}). Classification needs one class for each whole picture. {cure}",
    )
