"""Files of pictures that are read in different ways by different programs: turned, transparent, deep, with palettes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

#: Of the large ones, (width, height): several times a model's input, so that a JPEG is decoded at a reduced size.
LARGE, SMALL = (603, 411), (150, 97)


def scene(size: tuple[int, int], seed: int) -> Image.Image:
    """Smooth colours with sharp edges and some noise."""
    random = np.random.default_rng(seed)
    width, height = size
    small = Image.fromarray(random.integers(0, 256, (7, 9, 3)).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(small).astype(int) + random.integers(-12, 13, (height, width, 3))
    pixels[height // 3 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def write_odd_pictures(folder: Path) -> list[Path]:
    """Writes one of each kind; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    for turn in (1, 3, 5, 6, 8):
        exif = Image.Exif()
        exif[0x0112] = turn
        scene(LARGE, turn).save(folder / f"turned_{turn}.jpg", exif=exif, quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    scene(SMALL, 9).save(folder / "turned_small.png", exif=exif)
    scene(LARGE, 10).save(folder / "turned.tif", exif=exif)
    scene(LARGE, 11).convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    scene(LARGE, 12).convert("L").save(folder / "grey.jpg")
    clear = scene(SMALL, 13).convert("RGBA")
    clear.putalpha(scene(SMALL, 14).convert("L"))
    clear.save(folder / "clear.png")
    clear.convert("LA").save(folder / "clear_grey.png")
    scene(SMALL, 15).convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "palette.png")
    scene(SMALL, 16).convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "palette_clear.png", transparency=3)
    scene(SMALL, 17).convert("1").save(folder / "bits.png")
    deep = np.asarray(scene(SMALL, 18).convert("L"), np.uint16) * 15  # 12 bits in 16
    Image.fromarray(deep).save(folder / "deep.png")
    Image.fromarray(deep[::-1] * 2).save(folder / "deep_brighter.png")
    Image.fromarray(deep.astype(np.float32) / 4000).save(folder / "fractions.tif")
    scene(LARGE, 19).save(folder / "web.webp")
    frames = [scene(SMALL, seed) for seed in (20, 21)]
    frames[0].save(folder / "frames.gif", save_all=True, append_images=frames[1:])
    scene((40, 30), 22).save(folder / "tiny.png")
    return sorted(folder.iterdir())
