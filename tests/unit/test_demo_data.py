"""The demo's pictures: all there, the right ones, laid out once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from demo.__main__ import lay_out
from demo.digits_data import SCANS, make_digits_project
from demo.recipes import RECIPES


def test_every_digit_is_a_file_in_the_folder_of_its_class(tmp_path: Path) -> None:
    make_digits_project(tmp_path)
    digits = load_digits()
    files = sorted(tmp_path.glob("images/*/*.png"))
    assert len(files) == SCANS == len(digits.target)
    counts = [len(list((tmp_path / "images" / str(digit)).iterdir())) for digit in range(10)]
    assert counts == np.bincount(digits.target).tolist()
    ink = []
    for file in files:
        number = int(file.stem.partition("_")[2])
        assert file.parent.name == str(digits.target[number])
        with Image.open(file) as picture:
            ink.append((255 - np.asarray(picture, np.float64).mean(), digits.images[number].mean()))
    shown, scanned = np.array(ink).T
    assert np.corrcoef(shown, scanned)[0, 1] > 0.99


def test_a_second_run_leaves_the_pictures_as_they_are(tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPES["classification"], images=20)
    lay_out(recipe, tmp_path / "project")
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "project").rglob("*.png")}
    lay_out(recipe, tmp_path / "project")
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "project").rglob("*.png")} == before
    assert len(before) == 20


def test_pictures_that_were_half_written_do_not_count(tmp_path: Path) -> None:
    def write_one_and_die(folder: Path, images: int) -> None:
        make_digits_project(folder, 1)
        raise KeyboardInterrupt

    recipe = dataclasses.replace(RECIPES["classification"], images=20)
    with pytest.raises(KeyboardInterrupt):
        lay_out(dataclasses.replace(recipe, make=write_one_and_die), tmp_path / "project")
    assert not (tmp_path / "project").exists()
    lay_out(recipe, tmp_path / "project")
    assert len(list((tmp_path / "project").rglob("*.png"))) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["project"]
