"""A folder that comes in the place of an admitted project during its task: nothing of it is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.security.exchanges import swap_for_a_link, swap_for_another, swap_parent_for_a_link
from tests.security.picture_worker import PictureWorker
from tests.security.project_worker import spec_of
from trainer_worker.checkouts import project_folders
from trainer_worker.project.folder import ProjectFolder, admit


def make_pictures(folder: Path, colour: int) -> None:
    """Class folders and masked pictures, all of which can be decoded."""
    picture = np.full((32, 32, 3), colour, np.uint8)
    for label in ("red", "blue"):
        (folder / label).mkdir(parents=True)
        for number in range(4):
            picture[0, 0] = number
            Image.fromarray(picture).save(folder / label / f"{label}_{number}.png")
    for name in ("images", "masks"):
        (folder / name).mkdir()
        for number in range(4):
            picture[:16, 0] = number
            Image.fromarray(picture[..., 0]).save(folder / name / f"{number}.png")


@pytest.mark.door(3)
@pytest.mark.parametrize("swap", [swap_for_another, swap_for_a_link, swap_parent_for_a_link])
def test_a_folder_that_comes_in_the_place_of_the_admitted_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swap: Callable[[Path, Path], None]
) -> None:
    worker = PictureWorker(tmp_path / "projects", tmp_path / "cache")
    project, others = worker.root / "anna" / "x", worker.root / "bert"
    make_pictures(project, 100)
    make_pictures(others, 200)
    opened: list[str] = []
    opens = os.open

    def told_open(*arguments: Any, **options: Any) -> int:
        descriptor = opens(*arguments, **options)
        opened.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        return descriptor

    def admit_and_swap(*arguments: Any) -> ProjectFolder:
        admitted = admit(*arguments)
        swap(project, others)
        monkeypatch.setattr(os, "open", told_open)
        return admitted

    monkeypatch.setattr(project_folders, "admit", admit_and_swap)
    result = worker.run(spec_of(project))

    assert result.failure is not None
    assert (result.failure.code, worker.trainings) == ("project_dir_changed", 1)
    away = project.parent.with_name("away") / "x" if swap is swap_parent_for_a_link else project.with_name("away")
    read = {path for path in opened if path.endswith(".png")}
    assert read == {str(path) for path in away.rglob("*.png")}
    assert not [path for path in opened if Path(path).is_relative_to(others) or Path(path).is_relative_to(project)]
