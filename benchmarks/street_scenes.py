"""Draws street scenes as a car's camera sees them: twelve classes of very uneven area, and series of similar frames.

Poles and signs are thin: a pole is 2 to 7 px wide in a picture of 480 x 360 px. The set is for measuring a segmenter
on frames of films. It looks like none of the published sets, and nothing was fitted to one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from sklearn.datasets import load_sample_images

CLASSES = (
    "other",
    "sky",
    "building",
    "road",
    "pavement",
    "tree",
    "fence",
    "car",
    "pole",
    "sign",
    "pedestrian",
    "cyclist",
)
#: The classes whose regions are the thinnest and the smallest.
THIN_CLASSES = ("pole", "sign")
WIDTH_PX, HEIGHT_PX = 480, 360
FRAMES_OF_A_SERIES = 8
#: The camera moves by this many metres between two frames.
STEP_M = 1.2
FOCAL_PX = 320.0
CAMERA_HEIGHT_M = 1.5
DEPTH_M = (5.0, 60.0)
#: The side of the noise that is stretched over a surface, and how strong it is.
NOISE_SIDE = 24
JPEG_QUALITY = 90

Colour = tuple[int, int, int]
Point = tuple[float, float]
#: Draws a shape with an ImageDraw and a fill.
Shape = Callable[[Any, Any], None]


@dataclass(frozen=True)
class Thing:
    """One object beside or on the road. Metres: x to the right of the camera, z ahead of it in the first frame."""

    kind: str
    x: float
    z: float
    width: float
    height: float
    colour: Colour
    seed: int


@dataclass(frozen=True)
class Street:
    """What all frames of one series share. road_m: half the road's width. light: factor of all colours."""

    things: list[Thing]
    road_m: float
    pavement_m: float
    horizon_px: int
    light: float
    sky: Colour
    ground: Colour
    road: Colour
    pavement: Colour
    seed: int


class Paint(NamedTuple):
    """What a shape is filled with: a colour, and a texture of this grain (0 for an even colour), chosen by the seed."""

    colour: Colour
    seed: int
    grain: float


class Canvas:
    """A picture and its mask that are drawn together."""

    def __init__(self, textures: list[Image.Image]) -> None:
        self.picture = Image.new("RGB", (WIDTH_PX, HEIGHT_PX))
        self.mask = Image.new("L", (WIDTH_PX, HEIGHT_PX))
        self._textures = textures

    def fill(self, name: str, paint: Paint, shape: Shape) -> None:
        """Paint a shape of the class of that name."""
        stencil = Image.new("L", self.mask.size)
        shape(ImageDraw.Draw(stencil), 255)
        box = stencil.getbbox()
        if box is None:
            return
        surface = _surface(self._textures, (box[2] - box[0], box[3] - box[1]), paint)
        self.picture.paste(surface, box[:2], stencil.crop(box))
        self.mask.paste(CLASSES.index(name), box[:2], stencil.crop(box))


def _surface(textures: list[Image.Image], size: tuple[int, int], paint: Paint) -> Any:
    """A crop of a photo's light and dark, in that colour. size: (width, height)."""
    random = np.random.default_rng(paint.seed)
    texture = textures[int(random.integers(len(textures)))]
    side = int(random.integers(40, 200))
    left, top = int(random.integers(texture.width - side)), int(random.integers(texture.height - side))
    crop = texture.crop((left, top, left + side, top + side)).resize(size, Image.Resampling.BILINEAR)
    shade = (np.asarray(crop, np.float32) - 110) * paint.grain
    return Image.fromarray(
        np.clip(np.array(paint.colour, np.float32) + shade[..., np.newaxis], 0, 255).astype(np.uint8)
    )


def _colour(random: np.random.Generator, low: Colour, high: Colour) -> Colour:
    red, green, blue = (int(random.integers(a, b + 1)) for a, b in zip(low, high, strict=True))
    return red, green, blue


def _street(random: np.random.Generator) -> Street:
    """A random street with its things."""
    road_m, pavement_m = float(random.uniform(3, 6)), float(random.uniform(1.5, 3))
    grey = int(random.integers(60, 120))
    flagged = grey + int(random.integers(15, 60))
    return Street(
        things=_things(random, road_m, pavement_m),
        road_m=road_m,
        pavement_m=pavement_m,
        horizon_px=int(random.integers(130, 190)),
        light=float(random.uniform(0.6, 1.15)),
        sky=_colour(random, (130, 150, 180), (235, 235, 250)),
        ground=_colour(random, (70, 80, 50), (130, 130, 90)),
        road=(grey, grey, grey + 6),
        pavement=(flagged, flagged - 5, flagged - 12),
        seed=int(random.integers(2**31)),
    )


def _things(random: np.random.Generator, road_m: float, pavement_m: float) -> list[Thing]:
    edge, things = road_m + pavement_m, []
    far = DEPTH_M[1] + STEP_M * FRAMES_OF_A_SERIES

    def add(kind: str, x: float, z: float, size: tuple[float, float], colours: tuple[Colour, Colour]) -> None:
        colour = _colour(random, *colours)
        things.append(Thing(kind, x, z, *size, colour, int(random.integers(2**31))))

    for side in (-1, 1):
        z = DEPTH_M[0]
        while z < far:
            depth = float(random.uniform(6, 14))
            away = edge + float(random.uniform(0.5, 4))
            if random.random() < 0.65:
                size = (depth, float(random.uniform(5, 16)))
                add("building", side * away, z, size, ((90, 70, 60), (210, 190, 170)))
            elif random.random() < 0.5:
                add("fence", side * (edge + 0.3), z, (depth, float(random.uniform(1, 1.8))), ((60, 50, 40), (150,) * 3))
            z += depth
        for _ in range(int(random.integers(2, 7))):
            size = (float(random.uniform(2, 5)), float(random.uniform(4, 9)))
            x = side * (edge + random.uniform(-0.5, 3))
            add("tree", x, random.uniform(8, far), size, ((20, 50, 15), (90, 120, 60)))
        for _ in range(int(random.integers(2, 6))):
            size = (float(random.uniform(0.08, 0.14)), float(random.uniform(3, 7)))
            add("pole", side * (road_m + 0.4), random.uniform(6, 40), size, ((50, 50, 50), (150, 150, 150)))
        for _ in range(int(random.integers(1, 3))):
            size = (float(random.uniform(0.5, 0.9)), float(random.uniform(2.2, 3.2)))
            add("sign", side * (road_m + 0.6), random.uniform(7, 30), size, ((20, 20, 20), (250, 250, 250)))
        for _ in range(int(random.integers(0, 4))):
            add("car", side * (road_m - 1.1), random.uniform(9, far), (1.8, 1.5), ((20, 20, 20), (220, 220, 220)))
        for _ in range(int(random.integers(0, 4))):
            size = (float(random.uniform(0.45, 0.6)), float(random.uniform(1.5, 1.9)))
            x = side * (road_m + random.uniform(0.5, pavement_m))
            add("pedestrian", x, random.uniform(7, 35), size, ((20, 20, 20), (200, 180, 200)))
        if random.random() < 0.4:
            add("cyclist", side * (road_m - 0.7), random.uniform(8, 30), (0.7, 1.8), ((20, 20, 20), (220, 160, 160)))
    return sorted(things, key=lambda thing: -thing.z)


def polygon(*corners: Point) -> Shape:
    return lambda draw, fill: draw.polygon(corners, fill)


def rectangle(left: float, top: float, right: float, bottom: float) -> Shape:
    return lambda draw, fill: draw.rectangle((left, top, right, bottom), fill)


def ellipse(left: float, top: float, right: float, bottom: float) -> Shape:
    return lambda draw, fill: draw.ellipse((left, top, right, bottom), fill)


def _place(horizon_px: int, x: float, y: float, z: float) -> Point:
    """The pixel of a point in metres: x to the right, y above the ground, z ahead."""
    return WIDTH_PX / 2 + FOCAL_PX * x / z, horizon_px + FOCAL_PX * (CAMERA_HEIGHT_M - y) / z


def _frame(street: Street, number: int, textures: list[Image.Image], random: np.random.Generator) -> Canvas:
    """The picture and mask of one frame."""
    canvas, horizon = Canvas(textures), street.horizon_px
    at = functools.partial(_place, horizon)

    def ground(half_m: float) -> Shape:
        return polygon(at(-half_m, 0, 300), at(half_m, 0, 300), at(half_m, 0, 1.5), at(-half_m, 0, 1.5))

    canvas.fill("sky", Paint(street.sky, street.seed, 0.15), rectangle(0, 0, WIDTH_PX, HEIGHT_PX))
    canvas.fill("other", Paint(street.ground, street.seed + 1, 0.5), rectangle(0, horizon, WIDTH_PX, HEIGHT_PX))
    both_m = street.road_m + street.pavement_m
    canvas.fill("pavement", Paint(street.pavement, street.seed + 2, 0.25), ground(both_m))
    canvas.fill("road", Paint(street.road, street.seed + 3, 0.2), ground(street.road_m))
    for thing in street.things:
        z = thing.z - STEP_M * number
        if DEPTH_M[0] <= z <= DEPTH_M[1]:
            for name, paint, shape in _parts(thing, z, at):
                canvas.fill(name, paint, shape)
    return _finished(canvas, street, random)


def _parts(thing: Thing, z: float, at: Callable[[float, float, float], Point]) -> list[tuple[str, Paint, Shape]]:
    """The parts of a thing at that depth, in the order in which they are painted: class, paint, shape."""
    left, top = at(thing.x - thing.width / 2, thing.height, z)
    right, bottom = at(thing.x + thing.width / 2, 0, z)
    middle, high, wide = (left + right) / 2, bottom - top, right - left

    def paint(grain: float, colour: Colour = thing.colour) -> Paint:
        return Paint(colour, thing.seed, grain)

    if thing.kind in ("building", "fence"):
        end = z + thing.width
        wall = [at(thing.x, 0, z), at(thing.x, thing.height, z), at(thing.x, thing.height, end), at(thing.x, 0, end)]
        return [(thing.kind, paint(0.8), polygon(*wall))]
    if thing.kind == "tree":
        trunk = rectangle(middle - high / 40, top + high / 2, middle + high / 40, bottom)
        crown = ellipse(left, top, right, top + 0.65 * high)
        return [("tree", paint(0.3, (60, 45, 30)), trunk), ("tree", paint(0.9), crown)]
    if thing.kind == "sign":
        shaft = rectangle(middle - 0.07 * wide, top, middle + 0.07 * wide, bottom)
        plate = (ellipse if thing.seed % 2 else rectangle)(left, top, right, top + wide)
        return [("pole", paint(0.2, (120, 120, 120)), shaft), ("sign", paint(0.3), plate)]
    if thing.kind == "pole":
        return [("pole", paint(0.2), rectangle(left, top, right, bottom))]
    if thing.kind == "car":
        cabin = rectangle(left + 0.12 * wide, top, right - 0.12 * wide, top + 0.6 * high)
        body = rectangle(left, top + 0.4 * high, right, bottom)
        return [("car", paint(0.3, (50, 55, 65)), cabin), ("car", paint(0.4), body)]
    parts = [
        (
            thing.kind,
            paint(0.2, (190, 150, 120)),
            ellipse(middle - 0.07 * high, top, middle + 0.07 * high, top + 0.16 * high),
        ),
        (thing.kind, paint(0.4), ellipse(left, top + 0.14 * high, right, top + 0.6 * high)),
        (
            thing.kind,
            paint(0.3, (50, 50, 70)),
            rectangle(left + 0.2 * wide, top + 0.5 * high, right - 0.2 * wide, bottom),
        ),
    ]
    if thing.kind == "cyclist":
        wheel, thick_px = (
            (left - 0.1 * high, bottom - 0.4 * high, right + 0.1 * high, bottom),
            max(1, round(0.04 * high)),
        )
        ring: Shape = lambda draw, fill: draw.ellipse(wheel, outline=fill, width=thick_px)  # noqa: E731
        parts.append((thing.kind, paint(0.1, (30, 30, 30)), ring))
    return parts


def _finished(canvas: Canvas, street: Street, random: np.random.Generator) -> Canvas:
    """The frame with the series' light, a lens's blur and a sensor's noise."""
    blurred = canvas.picture.filter(ImageFilter.GaussianBlur(0.6))
    pixels = np.asarray(blurred, np.float32) * street.light * random.uniform(0.95, 1.05)
    noisy = pixels + random.normal(0, 4, pixels.shape)
    canvas.picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    return canvas


def make_street_project(folder: Path, images: int, seed: int) -> None:
    """Write `images` frames to folder/images/*.jpg, masks of class numbers to folder/masks/*.png, and classes.txt.

    FRAMES_OF_A_SERIES frames show one street, each a step further along. Same seed, same files.
    """
    random = np.random.default_rng(seed)
    textures = [Image.fromarray(photo).convert("L") for photo in load_sample_images().images]
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    for start in range(0, images, FRAMES_OF_A_SERIES):
        street = _street(random)
        for number in range(min(FRAMES_OF_A_SERIES, images - start)):
            canvas = _frame(street, number, textures, random)
            stem = f"street{start // FRAMES_OF_A_SERIES:03d}_{number:03d}"
            canvas.picture.save(folder / "images" / f"{stem}.jpg", quality=JPEG_QUALITY)
            canvas.mask.save(folder / "masks" / f"{stem}.png")
