"""Exports with outlines, each as its tool writes it, and masks that are drawn from them pixel by pixel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from protocol.data_report import Severity
from protocol.errors import TrainingError
from tests.mask_exports import (
    EXPORTS,
    HEIGHT,
    PARTS,
    WIDTH,
    coco,
    coco_file,
    expected,
    labelme,
    picture,
    via_project,
    write,
)
from trainer_worker.layouts.layout import Part
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.folders import Cutting, MaskFolders, read_pairs, scan_mask_folders
from trainer_worker.segmentation.mask_sources import read_mask_of


def masks_of(folders: MaskFolders) -> dict[str, np.ndarray]:
    """The mask of each picture at its own size, by class names' order cell, leaf."""
    order = [folders.classes.names.index(name) for name in ("background", "cell", "leaf")]
    found = {}
    for pair in folders.pairs:
        mask = read_mask_of(folders.reader, pair, (HEIGHT, WIDTH), folders.meaning)
        found[pair.picture.name] = np.select([mask == number for number in order], [0, 1, 2]).astype(np.uint8)
    return found


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("wrapper", ["", "export 1"])
def test_every_export_is_drawn_pixel_by_pixel(tmp_path: Path, name: str, wrapper: str) -> None:
    make, layout, names = EXPORTS[name]
    make(tmp_path / wrapper)
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    assert (folders.layout, folders.classes.names) == (layout, names)
    for file, mask in masks_of(folders).items():
        np.testing.assert_array_equal(mask, expected(int(file[1])), err_msg=file)
    assert {pair.picture.name[1]: pair.part for pair in folders.pairs} == {
        str(n): (Part.TRAIN, Part.VAL, Part.TEST)[n // 2] for n in range(6)
    }
    assert not folders.skipped
    report = folders.report()
    assert report.counts == {"cell": 6, "leaf": 6}
    assert report.split == {"train": 2, "val": 2, "test": 2}
    assert "6 pictures" in report.rule


@pytest.mark.parametrize("name", EXPORTS)
def test_every_export_trains_with_its_own_split(tmp_path: Path, name: str) -> None:
    EXPORTS[name][0](tmp_path)
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    examples = read_pairs(folders, Cutting(32), 2, lambda share: None)
    assert set(np.unique(examples.masks)) == {0, 1, 2}
    given = folders.callers_split()
    assert given is not None
    train, held_out = ({folders.pairs[row].picture.name[1] for row in rows} for rows in given)
    assert (train, held_out) == ({"0", "1"}, {"4", "5"})
    tiles = read_pairs(folders, Cutting(16, tiles=3), 2, lambda share: None)
    assert (tiles.masks > 0).any()


def test_holes_show_what_lies_below(tmp_path: Path) -> None:
    picture(tmp_path / "ds" / "img" / "p.jpg")
    outer, inner = [[5, 5], [25, 5], [25, 25], [5, 25]], [[10, 10], [20, 10], [20, 20], [10, 20]]
    below = {"exterior": [[0, 0], [30, 0], [30, 30], [0, 30]], "interior": []}
    objects = [
        {"classTitle": "leaf", "geometryType": "polygon", "points": below},
        {"classTitle": "cell", "geometryType": "polygon", "points": {"exterior": outer, "interior": [inner]}},
    ]
    for n in range(4):
        picture(tmp_path / "ds" / "img" / f"{n}.jpg")
        file = {"size": {"height": HEIGHT, "width": WIDTH}, "objects": objects}
        write(tmp_path / "ds" / "ann" / f"{n}.jpg.json", file)
    write(tmp_path / "meta.json", {"classes": []})
    by_hand = np.zeros((HEIGHT, WIDTH), np.uint8)
    by_hand[:31, :31] = 2
    by_hand[5:26, 5:26] = 1
    by_hand[10:21, 10:21] = 2
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    np.testing.assert_array_equal(masks_of(folders)["0.jpg"], by_hand)
    assert [skip.file for skip in folders.skipped] == ["ds/img/p.jpg"]


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_circles_and_ellipses_have_their_areas(tmp_path: Path, turn: float) -> None:
    shape = {"name": "ellipse", "cx": 24, "cy": 16, "rx": 14, "ry": 8, "theta": turn}
    other = {"name": "circle", "cx": 6, "cy": 6, "r": 5}
    regions = [{"shape_attributes": each, "region_attributes": {}} for each in (shape, other)]
    write(tmp_path / "via.json", {f"p{n}": {"filename": f"p{n}.jpg", "regions": regions} for n in range(4)})
    for n in range(4):
        picture(tmp_path / f"p{n}.jpg")
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    assert folders.classes.names == ("background", "foreground")
    mask = read_mask_of(folders.reader, folders.pairs[0], (HEIGHT, WIDTH), folders.meaning) > 0
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5 - np.array([16, 24]).reshape(2, 1, 1)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    by_formula = ((along / 14) ** 2 + (across / 8) ** 2 <= 1) | (
        (x + 18) ** 2 + (y + 10) ** 2 <= 25
    )  # whose middle lies inside
    grown = ((along / 15) ** 2 + (across / 9) ** 2 <= 1) | ((x + 18) ** 2 + (y + 10) ** 2 <= 36)  # that are touched
    assert not (by_formula & ~mask).any()
    assert not (mask & ~grown).any()


# --- pictures and outlines of different sizes ------------------------------------------------------------------------


def one_coco(root: Path, width: int, height: int, box: list[int], count: int = 4) -> None:
    left, top, right, bottom = box
    ring = [left, top, right, top, right, bottom, left, bottom]
    numbers = range(count)
    images = [{"id": n, "file_name": f"{n}.jpg", "width": width, "height": height} for n in numbers]
    annotations = [{"image_id": n, "category_id": 1, "segmentation": [ring]} for n in numbers]
    write(root / "coco.json", {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]})


def test_outlines_of_a_smaller_copy_are_scaled(tmp_path: Path) -> None:
    one_coco(tmp_path, WIDTH // 2, HEIGHT // 2, [2, 3, 9, 8])
    for n in range(4):
        picture(tmp_path / f"{n}.jpg")
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    by_hand = np.zeros((HEIGHT, WIDTH), np.uint8)
    by_hand[6:18, 4:20] = 1
    mask = read_mask_of(folders.reader, folders.pairs[0], (HEIGHT, WIDTH), folders.meaning)
    np.testing.assert_array_equal(mask, by_hand)


def test_outlines_of_the_unturned_picture_turn_with_it(tmp_path: Path) -> None:
    one_coco(tmp_path, WIDTH, HEIGHT, [2, 3, 9, 8])
    for n in range(4):
        picture(tmp_path / f"{n}.jpg", orientation=6)
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    unturned = np.zeros((HEIGHT, WIDTH), np.uint8)
    unturned[3:9, 2:10] = 1
    mask = read_mask_of(folders.reader, folders.pairs[0], (WIDTH, HEIGHT), folders.meaning)
    np.testing.assert_array_equal(mask, np.rot90(unturned, -1))


def test_outlines_of_another_shape_are_never_squeezed(tmp_path: Path) -> None:
    one_coco(tmp_path, HEIGHT, WIDTH, [2, 3, 9, 8], count=5)
    for n in range(5):
        picture(tmp_path / f"{n}.jpg", (WIDTH, HEIGHT) if n else (HEIGHT, WIDTH))
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    with pytest.raises(TrainingError, match=r"1\.jpg: its outlines were drawn on 32 x 48 pixels, but it has 48 x 32"):
        read_pairs(folders, Cutting(32), 2, lambda share: None)


@pytest.mark.parametrize("sizes", [("48.0", "32.0"), ("null", "null"), ("0", "0")])
def test_sizes_may_be_missing_or_have_a_point(tmp_path: Path, sizes: tuple[str, str]) -> None:
    one_coco(tmp_path, WIDTH, HEIGHT, [2, 3, 9, 8])
    text = (
        (tmp_path / "coco.json")
        .read_text()
        .replace('"width": 48, "height": 32', f'"width": {sizes[0]}, "height": {sizes[1]}')
    )
    (tmp_path / "coco.json").write_text(text)
    for n in range(4):
        picture(tmp_path / f"{n}.jpg")
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    by_hand = np.zeros((HEIGHT, WIDTH), np.uint8)
    by_hand[3:9, 2:10] = 1
    mask = read_mask_of(folders.reader, folders.pairs[0], (HEIGHT, WIDTH), folders.meaning)
    np.testing.assert_array_equal(mask, by_hand)


def test_what_lies_outside_of_the_picture_is_cut_off(tmp_path: Path) -> None:
    one_coco(tmp_path, WIDTH, HEIGHT, [-100, 20, 10, 400])
    for n in range(4):
        picture(tmp_path / f"{n}.jpg")
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    by_hand = np.zeros((HEIGHT, WIDTH), np.uint8)
    by_hand[20:, :11] = 1
    mask = read_mask_of(folders.reader, folders.pairs[0], (HEIGHT, WIDTH), folders.meaning)
    np.testing.assert_array_equal(mask, by_hand)


# --- what is not understood is said ----------------------------------------------------------------------------------


def test_pictures_without_objects_and_without_annotations_are_told_apart(tmp_path: Path) -> None:
    coco(tmp_path)
    file = json.loads((tmp_path / "annotations/instances_train2017.json").read_text())
    file["images"] += [
        {"id": 90, "file_name": "empty.jpg", "width": WIDTH, "height": HEIGHT},
        {"id": 91, "file_name": "../../gone.jpg", "width": WIDTH, "height": HEIGHT},
    ]
    write(tmp_path / "annotations/instances_train2017.json", file)
    for name in ("empty", "new"):
        picture(tmp_path / "train2017" / f"{name}.jpg")
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    findings = {found.code: found.files for found in folders.findings}
    assert findings["pictures_without_objects"] == ("train2017/empty.jpg",)
    assert findings["pictures_without_annotation"] == ("train2017/new.jpg",)
    assert findings["annotated_pictures_missing"] == ("../../gone.jpg",)
    assert len(folders.pairs) == 7


def test_an_object_with_a_box_only_costs_its_picture(tmp_path: Path) -> None:
    coco(tmp_path)
    file = json.loads((tmp_path / "annotations/instances_train2017.json").read_text())
    file["annotations"].append({"image_id": 0, "category_id": 3, "bbox": [1, 2, 3, 4], "segmentation": []})
    write(tmp_path / "annotations/instances_train2017.json", file)
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    assert [(skip.file, "a box, but no outline" in skip.reason) for skip in folders.skipped] == [
        ("train2017/p0.jpg", True)
    ]


def boxes_coco(root: Path) -> None:
    one_coco(root, WIDTH, HEIGHT, [1, 1, 5, 5])
    file = json.loads((root / "coco.json").read_text())
    for annotation in file["annotations"]:
        annotation |= {"segmentation": [], "bbox": [1, 1, 4, 4]}
    write(root / "coco.json", file)


def boxes_yolo(root: Path) -> None:
    for n in range(4):
        write(root / f"{n}.txt", "0 0.5 0.5 0.2 0.2\n")


def boxes_voc(root: Path) -> None:
    for n in range(4):
        write(root / "Annotations" / f"{n}.xml", "<annotation><object><name>x</name></object></annotation>")


def boxes_csv(root: Path) -> None:
    write(root / "_annotations.csv", "filename,width,height,class,xmin,ymin,xmax,ymax\n0.jpg,4,4,x,1,1,2,2\n")


def cvat_xml(root: Path) -> None:
    write(root / "annotations.xml", "<?xml version='1.0'?>\n<annotations><version>1.1</version></annotations>")


def label_studio_json(root: Path) -> None:
    write(root / "project-1.json", [{"id": 1, "data": {"image": "/data/upload/1/0.jpg"}, "annotations": []}])


@pytest.mark.parametrize("make", [boxes_coco, boxes_yolo, boxes_voc, boxes_csv, cvat_xml, label_studio_json])
def test_what_is_not_supported_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    for n in range(4):
        picture(tmp_path / f"{n}.jpg")
    make(tmp_path)
    with pytest.raises(TrainingError) as caught:
        scan_mask_folders(UserFiles.at(tmp_path))
    assert caught.value.code == "layout_unsupported"
    assert any(word in caught.value.error for word in ("boxes", "Label Studio", "CVAT", "YOLO detection"))
    assert "xport" in caught.value.error


def test_two_formats_for_the_same_pictures_stop(tmp_path: Path) -> None:
    labelme(tmp_path)
    write(tmp_path / "coco.json", coco_file(range(6)))
    with pytest.raises(TrainingError, match=r"2 formats: coco\.json and") as caught:
        scan_mask_folders(UserFiles.at(tmp_path))
    assert caught.value.code == "layout_unclear"


def test_two_files_for_one_picture_stop(tmp_path: Path) -> None:
    coco(tmp_path)
    write(tmp_path / "annotations" / "instances_more.json", coco_file(range(1)))
    with pytest.raises(TrainingError, match=r"instances_more\.json and .*train2017\.json hold outlines for") as caught:
        scan_mask_folders(UserFiles.at(tmp_path))
    assert caught.value.code == "layout_unclear"


def test_a_class_attribute_that_is_unclear_stops(tmp_path: Path) -> None:
    via_project(tmp_path)
    text = (tmp_path / "via_project.json").read_text().replace('"kind": "leaf"', '"colour": "green", "size": "4"')
    write(tmp_path / "via_project.json", text)
    with pytest.raises(TrainingError, match="attributes colour, kind, size") as caught:
        scan_mask_folders(UserFiles.at(tmp_path))
    assert caught.value.code == "layout_unclear"


def test_mask_files_come_before_annotations(tmp_path: Path) -> None:
    coco(tmp_path)
    for n in range(6):
        Image.fromarray((expected(n) > 0) * np.uint8(255)).save(tmp_path / f"{PARTS[n // 2]}2017" / f"p{n}_mask.png")
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    assert folders.layout == "mask_files"
    assert "annotations_not_used" in {found.code for found in folders.findings}


def test_outlines_of_yolo_beside_mask_files_are_named(tmp_path: Path) -> None:
    for n in range(4):
        picture(tmp_path / "images" / f"p{n}.jpg")
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / "labels" / f"p{n}.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n")
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray((expected(n) > 0) * np.uint8(255)).save(tmp_path / "masks" / f"p{n}.png")
    (found,) = (each for each in scan_mask_folders(UserFiles.at(tmp_path)).findings if each.code != "mask_values")
    assert (found.code, found.count) == ("annotations_not_used", 4)


def test_cvat_lists_the_colours(tmp_path: Path) -> None:
    for n in range(4):
        picture(tmp_path / "JPEGImages" / f"{n}.jpg")
        for folder in ("SegmentationClass", "SegmentationObject"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / folder / f"{n}.png")
    write(
        tmp_path / "labelmap.txt",
        "# label:color_rgb:parts:actions\ncell:176,112,32::\nbackground:0,0,0::\nleaf:48,112,32::\n",
    )
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    assert folders.layout == "cvat_masks"
    assert folders.classes.names == ("background", "cell", "leaf")
    write(tmp_path / "labelmap.txt", "cell:176,112,999::\n")
    with pytest.raises(TrainingError, match=r"labelmap\.txt can't be used.*176,112,999") as caught:
        scan_mask_folders(UserFiles.at(tmp_path))
    assert caught.value.code == "bad_classes"


def test_a_file_of_annotations_that_was_cut_off_is_named(tmp_path: Path) -> None:
    labelme(tmp_path)
    cut = min(tmp_path.rglob("*.json"))
    cut.write_bytes(cut.read_bytes()[:60])
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    (found,) = [each for each in folders.findings if each.code == "unreadable_annotations"]
    assert cut.relative_to(tmp_path).as_posix() in found.sentence
    assert found.cure == "Export it again."


def test_pictures_without_objects_are_a_warning_since_they_may_not_be_annotated_yet(tmp_path: Path) -> None:
    coco(tmp_path)
    for path in tmp_path.rglob("*.json"):
        content = json.loads(path.read_text())
        first = min((each["image_id"] for each in content["annotations"]), default=None)
        content["annotations"] = [each for each in content["annotations"] if each["image_id"] != first]
        path.write_text(json.dumps(content))
    folders = scan_mask_folders(UserFiles.at(tmp_path))
    (found,) = [each for each in folders.findings if each.code == "pictures_without_objects"]
    assert found.severity is Severity.WARNING
    assert "not annotated yet" in found.cure
