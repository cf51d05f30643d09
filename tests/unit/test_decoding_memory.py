"""Memory for decoding is bounded, whatever a file claims: measured in processes of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.bombs import BOMBS, png
from benchmarks.decoding import MOST_OF_ONE_MB, MOST_OF_SIX_MB, in_own_process
from tests.picture_reading import read_mask, read_rgb
from trainer_worker.pictures.images import PictureReader
from trainer_worker.pictures.user_files import UserFiles


@pytest.mark.door(7)
@pytest.mark.parametrize(
    ("name", "way", "reason"),
    [
        ("16-bit grey PNG, 100 MP", "picture", ""),
        ("palette PNG, 100 MP", "picture", ""),
        ("RGBA PNG, 100 MP", "picture", "save it smaller"),
        ("JPEG, 98 MP", "picture", ""),
        ("JPEG in several scans, 81 MP", "picture", "not progressive"),
        ("8-bit grey PNG, 100 MP", "mask", "megapixels"),
        ("grey PNG, one row of 90 MP", "own size", "megapixels"),
        ("PNG, EXIF of 200 MB at its end", "picture", "beside its pixels"),
        ("PNG, transparency at its end", "picture", "megapixels"),
        ("JPEG, header of 260 MB", "picture", "beside its pixels"),
        ("TIFF, strips 400 MB apart", "picture", "MB of memory"),
        ("icon with 81 MP inside", "picture", "an icon"),
        ("JPEG of 8 TB, sparse", "picture", "larger than 1,024 MB"),
    ],
)
def test_a_bomb_takes_little_and_is_read_or_said_why_not(tmp_path: Path, name: str, way: str, reason: str) -> None:
    path = tmp_path / "bomb"
    BOMBS[name](path)
    found = in_own_process(path, way)
    assert found["mb"] <= MOST_OF_ONE_MB, found
    assert (reason in found["reason"]) if reason else not found["reason"], found


@pytest.mark.door(7)
def test_six_at_once_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    png(path, 10_000, 10_000, (16, 0))
    assert path.stat().st_size < 250_000
    found = in_own_process(path, "picture", at_once=6)
    assert not found["reason"]
    assert found["mb"] <= MOST_OF_SIX_MB, found


@pytest.mark.door(7)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "L", "I;16"])
def test_what_is_reduced_first_looks_like_what_is_scaled_in_one_go(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only pictures that would take too much are reduced; here the bound is lowered instead."""
    ramp = np.add.outer(np.linspace(0, 120, 1000), np.linspace(0, 130, 1400)).astype(np.uint8)
    picture = Image.fromarray(ramp.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(ramp).convert(mode)
    picture.save(tmp_path / "a.png")
    expected = read_rgb(tmp_path / "a.png", (64, 96)).astype(int)
    reader = PictureReader(UserFiles.at(tmp_path))
    needed = 1000 * 1400 * (4 if mode in ("RGB", "RGBA", "LA") else 2) + 11_500_000
    monkeypatch.setattr(reader.budget, "most_bytes", needed)
    from trainer_worker.pictures import images

    reduced = images.read_rgb(reader, tmp_path / "a.png", (64, 96)).astype(int)
    assert np.abs(reduced - expected).max() <= 2


@pytest.mark.door(7)
def test_masks_are_read_the_same_in_bands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = (np.random.default_rng(0).random((301, 203)) < 0.3).astype(np.uint8)
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    whole = read_mask(tmp_path / "mask.png", (301, 203))
    monkeypatch.setattr("trainer_worker.pictures.flattening.BAND_PIXELS", 1000)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", (301, 203)), whole)
    np.testing.assert_array_equal(whole, drawn > 0)
