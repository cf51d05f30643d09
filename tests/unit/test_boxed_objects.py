"""Boxes of Pascal VOC annotations as pictures in class folders."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PIL import Image

from benchmarks.boxed_objects import cut_boxes, has_boxes, read_boxes, thinned_out


def write_photo(folder: Path, name: str, boxes: list[tuple[str, tuple[int, int, int, int]]]) -> None:
    """A photo of 64 x 48 px whose red value is the column, with its annotation."""
    for part in ("Annotations", "JPEGImages"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (64, 48))
    picture.putdata([(column, 0, 0) for _ in range(48) for column in range(64)])
    picture.save(folder / "JPEGImages" / f"{name}.png")
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{left}</xmin><ymin>{upper}</ymin><xmax>{right}</xmax>"
        f"<ymax>{lower}</ymax></bndbox></object>"
        for label, (left, upper, right, lower) in boxes
    )
    (folder / "Annotations" / f"{name}.xml").write_text(
        f"<annotation><filename>{name}.png</filename>{objects}</annotation>"
    )


def test_each_box_becomes_a_picture_of_its_class(tmp_path: Path) -> None:
    source, target = tmp_path / "voc", tmp_path / "cut"
    write_photo(source, "one", [("cell", (10, 4, 30, 24)), ("dust", (40, 0, 47, 40))])
    write_photo(source, "two", [("dust", (0, 0, 8, 8)), ("dust", (5, 5, 5, 5))])
    assert has_boxes(source)
    assert cut_boxes(source, target, most_of_class=9) == {"cell/one_00.png": "one.png", "dust/two_00.png": "two.png"}
    assert not has_boxes(target)
    with Image.open(target / "cell" / "one_00.png") as picture:
        assert picture.size == (20, 20)
        assert [picture.getpixel((column, 0)) for column in (0, 19)] == [(10, 0, 0), (29, 0, 0)]
    assert len(list(target.rglob("*.png"))) == 2


def test_a_large_class_is_thinned_out_evenly_over_the_photos(tmp_path: Path) -> None:
    square = (0, 0, 20, 20)
    write_photo(tmp_path, "crowd", [("cell", square)] * 20)
    for number in range(3):
        write_photo(tmp_path, f"few{number}", [("cell", square)] * 2 + [("dust", square)])
    kept = thinned_out(read_boxes(tmp_path), most_of_class=6)
    assert Counter((box.label, box.photo) for box in kept) == {
        ("cell", "crowd.png"): 2,
        **{("cell", f"few{number}.png"): count for number, count in enumerate((2, 1, 1))},
        **{("dust", f"few{number}.png"): 1 for number in range(3)},
    }
