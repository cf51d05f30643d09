"""Exports of annotation tools as they write them: six pictures, two in each part of the split."""

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
from PIL import ExifTags, Image

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
