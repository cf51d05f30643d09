"""Files of annotations that a stranger made to harm: they end in a sentence, soon, and name nothing outside."""

from __future__ import annotations

import base64
import io
import json
import struct
import time
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from protocol.errors import TrainingError
from trainer_worker.layouts.layout import Bitmap, Drawing, Outline, Polygon, RunLengths
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation.draw import DrawingError, draw
from trainer_worker.segmentation.folders import Cutting, MaskFolders, read_pairs, scan_mask_folders

WIDTH, HEIGHT = 48, 32
SQUARE = [5, 5, 20, 5, 20, 20, 5, 20]
IMAGE = {"width": WIDTH, "height": HEIGHT}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Eight pictures; a test adds their annotations."""
    for n in range(8):
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / f"{n}.jpg")
    return tmp_path


def write_coco(project: Path, segmentations: list[Any], **other: Any) -> None:
    """Write a COCO file. The first pictures have these segmentations, and the others a square.

    Python's JSON may hold NaN and Infinity, too.
    """
    images = [{"id": n, "file_name": f"{n}.jpg", **IMAGE} for n in range(8)]
    shapes = [*segmentations, *[[SQUARE]] * (8 - len(segmentations))]
    annotations = [{"image_id": n, "category_id": 1, "segmentation": shape} for n, shape in enumerate(shapes)]
    file = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}], **other}
    (project / "coco.json").write_text(json.dumps(file))


def read(project: Path) -> tuple[MaskFolders, dict[str, str]]:
    """The pictures that are left, and the reasons for those that are not."""
    folders = scan_mask_folders(UserFiles.at(project))
    read_pairs(folders, Cutting(32), 2, lambda share: None)
    return folders, {skip.file: skip.reason for skip in folders.skipped}


TEXT_RUNS = {"size": [HEIGHT, WIDTH]}
SHAPES: dict[str, tuple[Any, str]] = {
    "an odd number": ([[1, 2, 3, 4, 5, 6, 7]], "odd number"),
    "another size": ({"size": [9, 9], "counts": [81]}, "9 x 9"),
    "too few runs": ({**TEXT_RUNS, "counts": [1, 2]}, "not 48 x 32"),
    "too many pixels": ({**TEXT_RUNS, "counts": [0, 2**31, 2**31]}, "not 48 x 32"),
    "negative runs": ({**TEXT_RUNS, "counts": [-5, WIDTH * HEIGHT + 5]}, "unexpected JSON"),
    "runs beyond 64 bits": ({**TEXT_RUNS, "counts": [2**70]}, "unexpected JSON"),
    "text that is none": ({**TEXT_RUNS, "counts": "\x01\x02 äö"}, "no COCO text"),
    "text that overflows": ({**TEXT_RUNS, "counts": "oooooooooooooooooooo0"}, "no COCO text"),
    "text of huge runs": ({**TEXT_RUNS, "counts": "ooooo5ooooo5"}, "not 48 x 32"),
    "text that is cut off": ({**TEXT_RUNS, "counts": "ooo"}, "no COCO text"),
    "empty text": ({**TEXT_RUNS, "counts": ""}, "no COCO text"),
    "a sum that wraps": ({**TEXT_RUNS, "counts": [2**31] * 1000}, "not 48 x 32"),
    "100,001 points": ([[1, 2] * 100_001], "more than 100,000 points"),
    "words": ([["a", "b"]], "unexpected JSON"),
    "nested lists": ([[[[[1]]]]], "unexpected JSON"),
    "a number": (7, "unexpected JSON"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_bad_object_costs_its_picture_only(project: Path, name: str) -> None:
    shape, words = SHAPES[name]
    write_coco(project, [shape])
    folders, reasons = read(project)
    assert len(folders.pairs) == 7
    assert list(reasons) == ["0.jpg"]
    assert words in reasons["0.jpg"]


@pytest.mark.parametrize("number", [1e308, -1e308, 1e12, -5e9])
def test_points_far_outside_are_drawn_as_far_as_they_are_inside(project: Path, number: float) -> None:
    write_coco(project, [[[5, 5, number, 5, number, 20, 5, 20]]])
    folders, reasons = read(project)
    assert len(folders.pairs) == 8
    assert not reasons


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_is_no_json(project: Path, word: str) -> None:
    write_coco(project, [[[1, 2, 3, 4, 5, 6]]])
    text = (project / "coco.json").read_text().replace("[1, 2, 3, 4, 5, 6]", f"[1, {word}, 3, 4, 5, 6]")
    (project / "coco.json").write_text(text)
    try:
        _, reasons = read(project)
    except TrainingError as error:
        assert "coco.json" in error.error  # noqa: PT017 - or the file as a whole can't be read
    else:
        assert list(reasons) == ["0.jpg"]


def test_ten_million_points_are_refused_soon(project: Path) -> None:
    ring = b"[" + b"1,2," * 7_000_000 + b"3,4]"
    write_coco(project, [["HERE"]])
    text = (project / "coco.json").read_bytes().replace(b'"HERE"', ring)
    (project / "coco.json").write_bytes(text)
    began = time.process_time()
    _, reasons = read(project)
    assert "more than 100,000 points" in reasons["0.jpg"]
    assert time.process_time() - began < 15


@pytest.mark.parametrize(
    "start", ["[", '{"images":[', '{"a":', '{"shapes":[{"points":[', '{"images":[],"categories":[],"annotations":[']
)
def test_json_of_great_depth_is_an_error_in_words(project: Path, start: str) -> None:
    depth = 100_000
    (project / "deep.json").write_text(start * depth)
    with pytest.raises(TrainingError) as caught:
        scan_mask_folders(UserFiles.at(project))
    assert caught.value.code == "no_masks"
    write_coco(project, [])
    assert len(read(project)[0].pairs) == 8, "it harms nothing else"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe{}", b"null", b"[]", b"[1, 2]", b'{"images": 7}', b"\0" * 1000, b'""']
)
@pytest.mark.parametrize(
    "name", ["x.json", "0.json", "ann/0.jpg.json", "meta.json", "data.yaml", "via.csv", "classes.txt"]
)
def test_damaged_small_files_end_in_words(project: Path, content: bytes, name: str) -> None:
    (project / name).parent.mkdir(exist_ok=True)
    (project / name).write_bytes(content)
    with pytest.raises(TrainingError) as caught:
        scan_mask_folders(UserFiles.at(project))
    assert caught.value.code in ("no_masks", "bad_classes", "layout_unsupported")


NAMES = (
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "",
    "/",
    "a/../../0.jpg",
    "\\\\host\\share\\x.jpg",
    "x\0y.jpg",
    "a" * 5000,
)


@pytest.mark.parametrize("name", NAMES)
def test_names_that_lead_out_are_only_looked_up(project: Path, name: str) -> None:
    write_coco(project, [])
    file = json.loads((project / "coco.json").read_text())
    file["images"].append({"id": 99, "file_name": name, **IMAGE})
    (project / "coco.json").write_text(json.dumps(file))
    folders, reasons = read(project)
    assert all(pair.picture.parent == project for pair in folders.pairs)
    twice = {"0.jpg": "coco.json names it more than once"} if name.endswith("0.jpg") else {}
    assert reasons == twice


def test_too_large_a_file_is_named(project: Path) -> None:
    with (project / "coco.json").open("wb") as file:
        file.truncate(65 * 1024**2)
    with pytest.raises(TrainingError, match=r"coco\.json"):
        scan_mask_folders(UserFiles.at(project))


def test_yaml_that_multiplies_itself_is_refused(project: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (project / "data.yaml").write_text("\n".join([*lines, "names: *a11"]))
    for n in range(8):
        (project / f"{n}.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n")
    began = time.process_time()
    with pytest.raises(TrainingError) as caught:
        scan_mask_folders(UserFiles.at(project))
    assert caught.value.code == "bad_classes"
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "line",
    [
        *("0 nan nan 0.5 0.1 0.5 0.5", "0 inf 0.1 0.5 0.1 0.5 0.5", "0 1e308 0.1 0.5 0.1 0.5 0.5"),
        *("-1 0.1 0.1 0.5 0.1 0.5 0.5", "99999 0.1 0.1 0.5 0.1 0.5 0.5", "0 0.1 0.1 0.5 0.1 0.5"),
        *("0 100 100 200 100 200 200", "0 0.1 x 0.5 0.1 0.5 0.5"),
    ],
)
def test_bad_lines_of_yolo_cost_their_picture(project: Path, line: str) -> None:
    for n in range(8):
        (project / f"{n}.txt").write_text("0 0.1 0.1 0.5 0.1 0.5 0.5\n" + (f"{line}\n" if n == 0 else ""))
    folders, reasons = read(project)
    assert len(folders.pairs) == 7
    assert reasons["0.jpg"].startswith("its text file can't be used: ")


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header says more pixels than it holds."""
    buffer = io.BytesIO()
    Image.new("L", (4, 4), 255).save(buffer, "PNG")
    content = bytearray(buffer.getvalue())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


BITMAPS = {
    "no Base64": "!!!",
    "not packed": base64.b64encode(b"plain").decode(),
    "no PNG": base64.b64encode(zlib.compress(b"plain")).decode(),
    "a bomb": base64.b64encode(zlib.compress(bytes(200 * 1024**2))).decode(),
    "a huge picture": base64.b64encode(zlib.compress(png_that_claims(30_000, 30_000))).decode(),
    "a cut picture": base64.b64encode(zlib.compress(png_that_claims(40, 30)[:50])).decode(),
}


@pytest.mark.parametrize("name", BITMAPS)
def test_bad_bitmaps_cost_their_picture(project: Path, name: str) -> None:
    (project / "ds" / "ann").mkdir(parents=True)
    (project / "ds" / "img").mkdir()
    good = {"classTitle": "a", "geometryType": "rectangle", "points": {"exterior": [[1, 1], [9, 9]], "interior": []}}
    bad = {"classTitle": "a", "geometryType": "bitmap", "bitmap": {"data": BITMAPS[name], "origin": [1, 1]}}
    for n in range(8):
        (project / f"{n}.jpg").rename(project / "ds" / "img" / f"{n}.jpg")
        file = {"size": {"width": WIDTH, "height": HEIGHT}, "objects": [good, bad] if n == 0 else [good]}
        (project / "ds" / "ann" / f"{n}.jpg.json").write_text(json.dumps(file))
    tracemalloc.start()
    folders, reasons = read(project)
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(folders.pairs) == 7
    assert "bitmap" in reasons["ds/img/0.jpg"]
    assert most_bytes < 100 * 1024**2


def test_objects_beyond_all_measure_are_refused(project: Path) -> None:
    """20,001 objects, or 1,500 that each cover a whole picture."""
    write_coco(project, [[SQUARE] * 20_001])
    assert "more than 20,000 objects" in read(project)[1]["0.jpg"]
    square: Outline[float] = Outline("d", [0, 0, 2999, 0, 2999, 2999, 0, 2999])
    began = time.process_time()
    with pytest.raises(DrawingError, match="cover the picture more than"):
        draw(Drawing(None, (Polygon("a", square),) * 1500), {"a": 1}, (3000, 3000))
    assert time.process_time() - began < 60


@pytest.mark.parametrize("origin", [(-5, -5), (-100, 0), (40, 30), (1000, 1000), (-100_000, 100_000)])
def test_bitmaps_beyond_the_edge_are_cut_off(origin: tuple[int, int]) -> None:
    buffer = io.BytesIO()
    Image.new("1", (10, 10), 1).save(buffer, "PNG")
    mask = draw(Drawing(None, (Bitmap("a", *origin, buffer.getvalue()),)), {"a": 1}, (WIDTH, HEIGHT))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inside = (x >= origin[0]) & (x < origin[0] + 10) & (y >= origin[1]) & (y < origin[1] + 10)
    np.testing.assert_array_equal(mask, inside)


def test_runs_are_checked_before_they_are_laid_out() -> None:
    for counts in ([2**62, 2**62, 2**62, 2**62], [2**63 - 1], []):
        with pytest.raises(DrawingError):
            draw(Drawing(None, (RunLengths("a", Outline("q", counts)),)), {"a": 1}, (WIDTH, HEIGHT))
