"""Grey values of more than 8 bits have one scale for the set, so a dim picture stays darker than a bright one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer_worker.pictures.flattening import GreyScale
from trainer_worker.pictures.grey_scale import scale_of, with_grey_scale
from trainer_worker.pictures.images import PictureReader, read_rgb
from trainer_worker.pictures.user_files import UserFiles


def grey(path: Path, low: int, high: int, kind: type = np.uint16) -> Path:
    Image.fromarray(np.linspace(low, high, 400).astype(kind).reshape(20, 20)).save(path)
    return path


def scaled_reader(folder: Path) -> PictureReader:
    paths = sorted(folder.iterdir())
    return with_grey_scale(PictureReader(UserFiles.at(folder)), paths, 2, lambda: None)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_dim_picture_stays_darker_than_a_bright_one(tmp_path: Path, suffix: str) -> None:
    dim, bright = grey(tmp_path / f"dim{suffix}", 3000, 4000), grey(tmp_path / f"bright{suffix}", 4200, 5600)
    reader = scaled_reader(tmp_path)
    assert reader.grey == GreyScale(white=16383)
    assert read_rgb(reader, dim).max() < read_rgb(reader, bright).min()
    assert abs(int(read_rgb(reader, bright).max()) - 5600 * 255 / 16383) <= 1
    alone = PictureReader(UserFiles.at(tmp_path))
    assert read_rgb(alone, dim).min() > read_rgb(alone, bright).max(), "file by file the order would be lost"


def test_floats_have_a_scale_of_their_own_and_infinity_decides_nothing(tmp_path: Path) -> None:
    grey(tmp_path / "a.tif", 0, 1, np.float32)
    grey(tmp_path / "b.tif", 0, 200, np.float32)
    grey(tmp_path / "c.tif", 0, 900)
    broken = np.full((20, 20), np.inf, np.float32)
    broken[0] = np.nan
    Image.fromarray(broken).save(tmp_path / "d.tif")
    reader = scaled_reader(tmp_path)
    assert reader.grey == GreyScale(white=1023, white_of_floats=255)
    assert read_rgb(reader, tmp_path / "a.tif").max() == 1
    assert read_rgb(reader, tmp_path / "d.tif").max() == 255
    assert scale_of(reader.grey.facts) == reader.grey


def test_other_pictures_need_no_scale_and_are_not_decoded(tmp_path: Path) -> None:
    Image.new("L", (20, 20), 9).save(tmp_path / "a.png")
    Image.new("RGB", (20, 20), "red").save(tmp_path / "b.jpg")
    Image.new("RGB", (20, 20), "red").save(tmp_path / "c.tif")
    (tmp_path / "d.png").write_bytes(b"")
    (tmp_path / "e.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(8) + b"\x10\0")
    reader = scaled_reader(tmp_path)
    assert (reader.grey.facts, reader.grey.view) == ({}, "")


def test_the_scale_is_a_part_of_the_caches_key() -> None:
    assert GreyScale(4095).view != GreyScale(16383).view != GreyScale(0, 16383).view


def test_an_exception_of_the_caller_ends_the_search(tmp_path: Path) -> None:
    grey(tmp_path / "a.png", 0, 9)

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        with_grey_scale(PictureReader(UserFiles.at(tmp_path)), [tmp_path / "a.png"], 1, stop)
