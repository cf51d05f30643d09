"""An AVIF file is taken at the size of the pictures inside, whatever its container claims."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.picture_reading import read_rgb
from trainer_worker.pictures.avif_size import UnusualAvifError, coded_pixels
from trainer_worker.pictures.images import UnreadableImageError


def avif(mode: str, width: int, height: int, **options: object) -> bytes:
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, bands), np.uint8).squeeze()
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "AVIF", **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("mode", "pictures", "options"),
    [("RGB", 1, {}), ("L", 1, {}), ("RGBA", 2, {}), ("RGB", 1, {"subsampling": "4:4:4", "quality": 100})],
)
def test_the_pixels_of_all_pictures_are_counted(mode: str, pictures: int, options: dict[str, object]) -> None:
    assert coded_pixels(avif(mode, 333, 77, **options)) == pictures * 333 * 77


@pytest.mark.door(7)
def test_a_container_that_understates_its_picture_is_refused(tmp_path: Path) -> None:
    content = avif("RGB", 1600, 1200, speed=10)
    at = content.index(b"ispe") + 8
    assert content[at : at + 8] == (1600).to_bytes(4) + (1200).to_bytes(4)
    (tmp_path / "liar.avif").write_bytes(content[:at] + (16).to_bytes(4) + (12).to_bytes(4) + content[at + 8 :])
    with pytest.raises(UnreadableImageError, match=r"claims 192 pixels, but the pictures inside have 1,920,000"):
        read_rgb(tmp_path / "liar.avif", (32, 32))
    (tmp_path / "honest.avif").write_bytes(content)
    assert read_rgb(tmp_path / "honest.avif", (32, 32)).shape == (32, 32, 3)


def test_an_animation_is_refused_in_words(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.avif", save_all=True, append_images=frames[1:])
    with pytest.raises(UnreadableImageError, match="it is animated"):
        read_rgb(tmp_path / "a.avif", (32, 32))


def test_no_damage_raises_anything_else() -> None:
    whole, chance = avif("RGBA", 64, 48), np.random.default_rng(3)
    for _ in range(2000):
        damaged = bytearray(whole[: int(chance.integers(1, len(whole) + 1))])
        for _ in range(int(chance.integers(0, 6))):
            damaged[int(chance.integers(len(damaged)))] = int(chance.integers(256))
        with contextlib.suppress(UnusualAvifError):
            assert coded_pixels(bytes(damaged)) > 0
