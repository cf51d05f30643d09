"""Exports with outlines, each as its tool writes it, and masks that are drawn from them pixel by pixel."""

from __future__ import annotations

import base64
import csv
import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from protocol.errors import TrainingError
from trainer_worker.layouts.layout import Part
from trainer_worker.segmentation.folders import Cutting, MaskFolders, read_pairs, scan
from trainer_worker.segmentation.mask_sources import read_mask_of

WIDTH, HEIGHT = 48, 32
PARTS = ("train", "val", "test")


def picture(path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), orientation: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    noise = np.random.default_rng(len(path.name)).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, exif=exif)


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def corners(n: int) -> tuple[int, int, int, int]:
    """left, top, right, bottom of the cell in picture n."""
    return 3 + n, 4 + n, 20 + n, 18 + n


def cell(n: int) -> list[tuple[int, int]]:
    """An L: the box without its upper right quarter."""
    left, top, right, bottom = corners(n)
    return [(left, top), (left + 8, top), (left + 8, top + 7), (right, top + 7), (right, bottom), (left, bottom)]


LEAF = [(30, 2), (40, 2), (40, 10), (30, 10)]


def expected(n: int) -> np.ndarray:
    """The mask with slices: cell is 1, leaf is 2. Outlines belong to their object."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    left, top, right, bottom = corners(n)
    mask[top : bottom + 1, left : left + 9] = 1
    mask[top + 7 : bottom + 1, left : right + 1] = 1
    mask[2:11, 30:41] = 2
    return mask


def bit_png(mask: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(bool)).save(buffer, "PNG")
    return buffer.getvalue()


def flat(points: list[tuple[int, int]]) -> list[int]:
    return [value for point in points for value in point]


def runs(mask: np.ndarray) -> list[int]:
    """COCO's run lengths, counted one pixel after another."""
    counts, value = [0], False
    for pixel in mask.T.ravel():
        if bool(pixel) != value:
            counts.append(0)
            value = not value
        counts[-1] += 1
    return counts


def coco_text(counts: list[int]) -> str:
    """COCO's text for runs, as its own C code writes it (rleToString)."""
    text = ""
    for i, count in enumerate(counts):
        x = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            c = x & 0x1F
            x >>= 5
            more = (x != -1) if c & 0x10 else (x != 0)
            text += chr((c | 0x20 if more else c) + 48)
    return text


# --- the exports: each makes six pictures, two a part ----------------------------------------------------------------


def coco_file(numbers: range, names: str = "p{}.jpg", **other: Any) -> dict[str, Any]:
    annotations = []
    for n in numbers:
        mask = expected(n)
        shapes: list[Any] = [
            [flat(cell(n))],
            {"size": [HEIGHT, WIDTH], "counts": runs(mask == 1)},
            {"size": [HEIGHT, WIDTH], "counts": coco_text(runs(mask == 1))},
        ]
        annotations += [
            {"image_id": n, "category_id": 3, "segmentation": shapes[n % 3], "iscrowd": int(n % 3 > 0)},
            {"image_id": n, "category_id": 7, "segmentation": [flat(LEAF)], "bbox": [30, 2, 10, 8]},
        ]
    return {
        "info": {"year": 2026},
        "images": [{"id": n, "file_name": names.format(n), "width": WIDTH, "height": HEIGHT} for n in numbers],
        "annotations": annotations,
        "categories": [{"id": 7, "name": "leaf"}, {"id": 3, "name": "cell", "supercategory": "x"}],
        **other,
    }


def coco(root: Path) -> None:
    for at, part in enumerate(PARTS):
        numbers = range(2 * at, 2 * at + 2)
        write(root / "annotations" / f"instances_{part}2017.json", coco_file(numbers))
        for n in numbers:
            picture(root / f"{part}2017" / f"p{n}.jpg")
    write(root / "annotations" / "captions_train2017.json", {"images": [], "annotations": [], "info": {}})


def roboflow(root: Path) -> None:
    """Numbers the pictures of each part from 0, and has a category of which no object is."""
    for at, part in enumerate(("train", "valid", "test")):
        found = coco_file(range(2 * at, 2 * at + 2), "p{}_jpg.rf.0a.jpg")
        for image in found["images"]:
            picture(root / part / image["file_name"])
        found["categories"] = [{"id": 0, "name": "things", "supercategory": "none"}, *found["categories"]]
        write(root / part / "_annotations.coco.json", found)
    write(root / "README.roboflow.txt", "exported")


def labelme(root: Path) -> None:
    for n in range(6):
        picture(root / PARTS[n // 2] / f"p{n}.jpg")
        left, top, right, bottom = corners(n)
        box = np.ones((11, 11), bool)
        shapes = [
            {"label": "cell", "points": [[left, top], [left + 8, bottom]], "shape_type": "rectangle"},
            {"label": "cell", "points": [[left, top + 7], [right, top + 7], [right, bottom], [left, bottom]]},
            {"label": "leaf", "points": [[40, 2], [40, 10], [30, 10], [30, 2]], "shape_type": "polygon"},
        ]
        if n % 2:
            mask = base64.b64encode(bit_png(box[:9])).decode()
            shapes[2] = {"label": "leaf", "points": [[30, 2], [40, 10]], "shape_type": "mask", "mask": mask}
        file: dict[str, Any] = {"version": "5.4", "flags": {}, "shapes": shapes, "imageData": None}
        named = {"imagePath": f"..\\somewhere\\p{n}.jpg", "imageWidth": WIDTH, "imageHeight": HEIGHT}
        write(root / PARTS[n // 2] / f"p{n}.json", file | named)


def labelme_apart(root: Path) -> None:
    labelme(root / "made")
    for n in range(6):
        part = PARTS[n // 2]
        for folder, name in (("images", f"p{n}.jpg"), ("annotations", f"p{n}.json")):
            (root / folder / part).mkdir(parents=True, exist_ok=True)
            (root / "made" / part / name).rename(root / folder / part / name)


def shares(points: list[tuple[int, int]]) -> str:
    return " ".join(f"{x / WIDTH:.8f} {y / HEIGHT:.8f}" for x, y in points)


def yolo(root: Path) -> None:
    for n in range(6):
        part = PARTS[n // 2]
        picture(root / "images" / part / f"p{n}.jpg")
        write(root / "labels" / part / f"p{n}.txt", f"1 {shares(cell(n))}\n0 {shares(LEAF)}\n\n")
    write(root / "data.yaml", "path: ../x\ntrain: images/train\nnames:\n  0: leaf\n  1: cell\n  2: unused\n")


def yolo_roboflow(root: Path) -> None:
    for n in range(6):
        part = ("train", "valid", "test")[n // 2]
        picture(root / part / "images" / f"p{n}.jpg")
        write(root / part / "labels" / f"p{n}.txt", f"1 {shares(cell(n))}\n0 {shares(LEAF)}")
    write(root / "data.yaml", "train: ../train/images\nnc: 2\nnames: ['leaf', 'cell']\n")


def yolo_darknet(root: Path) -> None:
    for n in range(6):
        picture(root / "obj_train_data" / f"p{n}.jpg")
        write(root / "obj_train_data" / f"p{n}.txt", f"1 {shares(cell(n))}\n0 {shares(LEAF)}")
    write(root / "obj.names", "leaf\ncell\n")
    for at, part in enumerate(PARTS):
        write(root / f"{part}.txt", "".join(f"data/obj_train_data/p{n}.jpg\n" for n in (2 * at, 2 * at + 1)))


def supervisely(root: Path) -> None:
    for n in range(6):
        dataset = root / "project" / f"ds_{PARTS[n // 2]}"
        picture(dataset / "img" / f"p{n}.jpg")
        mask = expected(n) == 1
        left, top, right, bottom = corners(n)
        data = base64.b64encode(zlib.compress(bit_png(mask[top : bottom + 1, left : right + 1]))).decode()
        exterior = [[30, 2], [40, 2], [40, 10], [30, 10]]
        objects: list[dict[str, Any]] = [
            {"classTitle": "cell", "geometryType": "bitmap", "bitmap": {"data": data, "origin": [left, top]}},
            {"classTitle": "leaf", "geometryType": "polygon", "points": {"exterior": exterior, "interior": []}},
        ]
        if n % 2:
            objects[1] |= {"geometryType": "rectangle", "points": {"exterior": [[30, 2], [40, 10]], "interior": []}}
        size = {"height": HEIGHT, "width": WIDTH}
        write(dataset / "ann" / f"p{n}.jpg.json", {"description": "", "tags": [], "size": size, "objects": objects})
    classes = [{"title": name, "shape": "any", "color": "#00FF00"} for name in ("leaf", "cell")]
    write(root / "project" / "meta.json", {"classes": classes, "tags": []})


def via_regions(n: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    xs, ys = zip(*cell(n), strict=True)
    return [
        ({"name": "polygon", "all_points_x": xs, "all_points_y": ys}, {"kind": "cell"}),
        ({"name": "rect", "x": 30, "y": 2, "width": 10, "height": 8}, {"kind": "leaf"}),
    ]


def via_files() -> dict[str, Any]:
    return {
        f"p{n}.jpg{n}": {
            "filename": f"p{n}.jpg",
            "size": 1,
            "regions": [{"shape_attributes": shape, "region_attributes": kind} for shape, kind in via_regions(n)],
        }
        for n in range(6)
    }


def via_project(root: Path) -> None:
    write(root / "via_project.json", {"_via_settings": {}, "_via_img_metadata": via_files(), "_via_attributes": {}})
    for n in range(6):
        picture(root / PARTS[n // 2] / f"p{n}.jpg")


def via_json(root: Path) -> None:
    via_project(root)
    files = via_files()
    for n, file in enumerate(files.values()):
        if n % 2:  # version 1 numbers the regions, and writes checkboxes as true and false
            regions = {str(at): region for at, region in enumerate(file["regions"])}
            regions["0"]["region_attributes"] = {"kind": {"cell": True, "leaf": False}}
            file["regions"] = regions
    write(root / "via_project.json", files)


def via_csv(root: Path) -> None:
    via_project(root)
    (root / "via_project.json").unlink()
    with (root / "via_export.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        names = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
        rows.writerow(names.split(","))
        for n in range(6):
            for at, (shape, kind) in enumerate(via_regions(n)):
                rows.writerow([f"p{n}.jpg", 1, "{}", 2, at, json.dumps(shape), json.dumps(kind)])


EXPORTS: dict[str, tuple[Callable[[Path], None], str, tuple[str, ...]]] = {
    "coco": (coco, "coco", ("background", "cell", "leaf")),
    "roboflow": (roboflow, "coco", ("background", "cell", "leaf")),
    "labelme": (labelme, "labelme", ("background", "cell", "leaf")),
    "labelme_apart": (labelme_apart, "labelme", ("background", "cell", "leaf")),
    "yolo": (yolo, "yolo_segmentation", ("background", "leaf", "cell")),
    "yolo_roboflow": (yolo_roboflow, "yolo_segmentation", ("background", "leaf", "cell")),
    "yolo_darknet": (yolo_darknet, "yolo_segmentation", ("background", "leaf", "cell")),
    "supervisely": (supervisely, "supervisely", ("background", "leaf", "cell")),
    "via_project": (via_project, "via", ("background", "cell", "leaf")),
    "via_json": (via_json, "via", ("background", "cell", "leaf")),
    "via_csv": (via_csv, "via", ("background", "cell", "leaf")),
}


def masks_of(folders: MaskFolders) -> dict[str, np.ndarray]:
    """The mask of each picture at its own size, by class names' order cell, leaf."""
    order = [folders.classes.names.index(name) for name in ("background", "cell", "leaf")]
    found = {}
    for pair in folders.pairs:
        mask = read_mask_of(folders.reader, pair, (HEIGHT, WIDTH), folders.classes)
        found[pair.picture.name] = np.select([mask == number for number in order], [0, 1, 2]).astype(np.uint8)
    return found


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("wrapper", ["", "export 1"])
def test_every_export_is_drawn_pixel_by_pixel(tmp_path: Path, name: str, wrapper: str) -> None:
    make, layout, names = EXPORTS[name]
    make(tmp_path / wrapper)
    folders = scan(tmp_path)
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
    folders = scan(tmp_path)
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
    folders = scan(tmp_path)
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
    folders = scan(tmp_path)
    assert folders.classes.names == ("background", "foreground")
    mask = read_mask_of(folders.reader, folders.pairs[0], (HEIGHT, WIDTH), folders.classes) > 0
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
    folders = scan(tmp_path)
    by_hand = np.zeros((HEIGHT, WIDTH), np.uint8)
    by_hand[6:18, 4:20] = 1
    mask = read_mask_of(folders.reader, folders.pairs[0], (HEIGHT, WIDTH), folders.classes)
    np.testing.assert_array_equal(mask, by_hand)


def test_outlines_of_the_unturned_picture_turn_with_it(tmp_path: Path) -> None:
    one_coco(tmp_path, WIDTH, HEIGHT, [2, 3, 9, 8])
    for n in range(4):
        picture(tmp_path / f"{n}.jpg", orientation=6)
    folders = scan(tmp_path)
    unturned = np.zeros((HEIGHT, WIDTH), np.uint8)
    unturned[3:9, 2:10] = 1
    mask = read_mask_of(folders.reader, folders.pairs[0], (WIDTH, HEIGHT), folders.classes)
    np.testing.assert_array_equal(mask, np.rot90(unturned, -1))


def test_outlines_of_another_shape_are_never_squeezed(tmp_path: Path) -> None:
    one_coco(tmp_path, HEIGHT, WIDTH, [2, 3, 9, 8], count=5)
    for n in range(5):
        picture(tmp_path / f"{n}.jpg", (WIDTH, HEIGHT) if n else (HEIGHT, WIDTH))
    folders = scan(tmp_path)
    with pytest.raises(TrainingError, match=r"1\.jpg: its outlines were drawn on 32 x 48 pixels, but it has 48 x 32"):
        read_pairs(folders, Cutting(32), 2, lambda share: None)


def test_what_lies_outside_of_the_picture_is_cut_off(tmp_path: Path) -> None:
    one_coco(tmp_path, WIDTH, HEIGHT, [-100, 20, 10, 400])
    for n in range(4):
        picture(tmp_path / f"{n}.jpg")
    folders = scan(tmp_path)
    by_hand = np.zeros((HEIGHT, WIDTH), np.uint8)
    by_hand[20:, :11] = 1
    mask = read_mask_of(folders.reader, folders.pairs[0], (HEIGHT, WIDTH), folders.classes)
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
    folders = scan(tmp_path)
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
    folders = scan(tmp_path)
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
        scan(tmp_path)
    assert caught.value.code == "layout_unsupported"
    assert any(word in caught.value.error for word in ("boxes", "Label Studio", "CVAT", "YOLO detection"))
    assert "xport" in caught.value.error


def test_two_formats_for_the_same_pictures_stop(tmp_path: Path) -> None:
    labelme(tmp_path)
    write(tmp_path / "coco.json", coco_file(range(6)))
    with pytest.raises(TrainingError, match=r"2 formats: coco\.json and") as caught:
        scan(tmp_path)
    assert caught.value.code == "layout_unclear"


def test_two_files_for_one_picture_stop(tmp_path: Path) -> None:
    coco(tmp_path)
    write(tmp_path / "annotations" / "instances_more.json", coco_file(range(1)))
    with pytest.raises(TrainingError, match=r"instances_more\.json and .*train2017\.json hold outlines for") as caught:
        scan(tmp_path)
    assert caught.value.code == "layout_unclear"


def test_a_class_attribute_that_is_unclear_stops(tmp_path: Path) -> None:
    via_project(tmp_path)
    text = (tmp_path / "via_project.json").read_text().replace('"kind": "leaf"', '"colour": "green", "size": "4"')
    write(tmp_path / "via_project.json", text)
    with pytest.raises(TrainingError, match="attributes colour, kind, size") as caught:
        scan(tmp_path)
    assert caught.value.code == "layout_unclear"


def test_mask_files_come_before_annotations(tmp_path: Path) -> None:
    coco(tmp_path)
    for n in range(6):
        Image.fromarray((expected(n) > 0) * np.uint8(255)).save(tmp_path / f"{PARTS[n // 2]}2017" / f"p{n}_mask.png")
    folders = scan(tmp_path)
    assert folders.layout == "mask_files"
    assert "annotations_not_used" in {found.code for found in folders.findings}


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
    folders = scan(tmp_path)
    assert folders.layout == "cvat_masks"
    assert folders.classes.names == ("background", "cell", "leaf")
    write(tmp_path / "labelmap.txt", "cell:176,112,999::\n")
    with pytest.raises(TrainingError, match=r"labelmap\.txt can't be used.*176,112,999") as caught:
        scan(tmp_path)
    assert caught.value.code == "bad_classes"
