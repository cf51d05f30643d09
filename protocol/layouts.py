"""The layouts of folders that are understood, each in one sentence for callers. docs/layouts.md has them in full."""

from __future__ import annotations

import msgspec

#: Stands for every trainType.
ALL = "all"


class Layout(msgspec.Struct, frozen=True):
    """name: as in DataReport.layout. train_type: whose pictures it holds, or ALL."""

    name: str
    train_type: str
    sentence: str


LAYOUTS = (
    Layout("class_folders", "classification", "One folder of pictures for each class, side by side."),
    Layout("class_folders_split", "classification", "The same inside of train/, valid/ and test/ folders."),
    Layout("class_list", "classification", "Pictures, and a CSV or TSV list that gives each one its class."),
    Layout("mask_files", "segmentation", "Pictures, and a mask of a matching name for each of them."),
    Layout("object_masks", "segmentation", "Several masks for each picture, one for each object."),
    Layout("cvat_masks", "segmentation", "Masks in colours, and CVAT's labelmap.txt that says what they mean."),
    Layout("pascal_voc", "segmentation", "JPEGImages/ beside SegmentationClass/, as in Pascal VOC."),
    Layout("label_studio_brush", "segmentation", "The brush masks of an export of Label Studio."),
    Layout("coco", "segmentation", "Pictures, and their outlines in JSON files as in COCO."),
    Layout("labelme", "segmentation", "A JSON file of LabelMe with outlines for each picture."),
    Layout("supervisely", "segmentation", "An export of Supervisely: img/ beside ann/, and meta.json."),
    Layout("via", "segmentation", "Outlines of the VGG Image Annotator, as JSON or CSV."),
    Layout("yolo_segmentation", "segmentation", "A text file with YOLO polygons for each picture."),
    Layout("archives", ALL, "Zip files that hold one of the other layouts, or one zip for each class or part."),
    Layout("other_export", "classification", "An export for another trainType, which is refused by name."),
)
