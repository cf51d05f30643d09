"""Class folders from photos with Pascal VOC annotations: each boxed object becomes a picture of its class."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

ANNOTATIONS, PHOTOS = "Annotations", "JPEGImages"
#: Boxes with a shorter side show nothing, or are mistakes.
LEAST_SIDE_PX = 8


class Box(NamedTuple):
    """edges: left, upper, right and lower, in pixels. photo: the name of its file. number: of the box in its photo."""

    photo: str
    number: int
    label: str
    edges: tuple[int, int, int, int]


def has_boxes(folder: Path) -> bool:
    return (folder / ANNOTATIONS).is_dir() and (folder / PHOTOS).is_dir()


def cut_boxes(source: Path, target: Path, most_of_class: int) -> dict[str, str]:
    """Write each box to target/<label>/<photo>_<number>.png.

    most_of_class: a class with more boxes is thinned out evenly over the photos. Returns for each written file, by its
    path in target, the photo that it comes from: pictures from one photo must not both train and score.
    """
    photo_of: dict[str, str] = {}
    by_photo: defaultdict[str, list[Box]] = defaultdict(list)
    for box in thinned_out(read_boxes(source), most_of_class):
        by_photo[box.photo].append(box)
    for photo, boxes in sorted(by_photo.items()):
        with Image.open(source / PHOTOS / photo) as image:
            picture = image.convert("RGB")
        for box in boxes:
            name = f"{box.label}/{Path(photo).stem}_{box.number:02d}.png"
            (target / box.label).mkdir(parents=True, exist_ok=True)
            picture.crop(box.edges).save(target / name)
            photo_of[name] = photo
    return photo_of


def read_boxes(source: Path) -> list[Box]:
    """All boxes that are large enough, sorted by photo."""
    boxes = []
    for path in sorted((source / ANNOTATIONS).glob("*.xml")):
        root = ElementTree.parse(path).getroot()
        photo = root.findtext("filename", "")
        for number, found in enumerate(root.iter("object")):
            sides = (found.findtext(f"bndbox/{name}", "0") for name in ("xmin", "ymin", "xmax", "ymax"))
            left, upper, right, lower = (round(float(side)) for side in sides)
            if min(right - left, lower - upper) >= LEAST_SIDE_PX:
                boxes.append(Box(photo, number, found.findtext("name", ""), (left, upper, right, lower)))
    return boxes


def thinned_out(boxes: Iterable[Box], most_of_class: int) -> list[Box]:
    """At most so many boxes of each class: the first one of every photo, then the second one of every photo."""
    turn: Counter[tuple[str, str]] = Counter()
    in_turn: defaultdict[str, list[tuple[int, Box]]] = defaultdict(list)
    for box in boxes:
        in_turn[box.label].append((turn[box.photo, box.label], box))
        turn[box.photo, box.label] += 1
    return [box for found in in_turn.values() for _, box in sorted(found)[:most_of_class]]
