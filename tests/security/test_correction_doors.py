"""corrections.csv is the one file of a user's that the front-end writes, and a stranger may have put anything there."""

from __future__ import annotations

import asyncio
import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.corrections import CORRECTIONS_FILE, Action, Correction
from tests.drawn_projects import draw_classes
from tests.local_roots import correction_files
from tests.security.outside import snapshot
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.user_files import UserFiles
from web.answers.refusal import Refusal
from web.files.corrections import CorrectionFiles

SECRET = "picture,action,label\nsecret-of-bert.jpg,keep,\n"
CHANGE = {"images/rose/0.png": Correction("images/rose/0.png", Action.EXCLUDE)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return draw_classes(tmp_path / "root" / "anna", {"rose": 3, "tulip": 3})


@pytest.fixture
def files(project: Path) -> CorrectionFiles:
    return correction_files(project.parent)


def link_to_file(place: Path, elsewhere: Path) -> None:
    (elsewhere / "bert.csv").write_text(SECRET)
    place.symlink_to(elsewhere / "bert.csv")


def link_to_nothing(place: Path, elsewhere: Path) -> None:
    place.symlink_to(elsewhere / "new.csv")


def link_within(place: Path, elsewhere: Path) -> None:
    (place.parent / "other.csv").write_text(SECRET)
    place.symlink_to("other.csv")


def folder(place: Path, elsewhere: Path) -> None:
    place.mkdir()
    (place / "1.jpg").write_bytes(b"a photo")


def pipe(place: Path, elsewhere: Path) -> None:
    os.mkfifo(place)


def device(place: Path, elsewhere: Path) -> None:
    place.symlink_to("/dev/zero")


def huge_file(place: Path, elsewhere: Path) -> None:
    with place.open("wb") as file:
        file.truncate(2**24)


def looping_link(place: Path, elsewhere: Path) -> None:
    place.symlink_to(place.name)


@pytest.mark.door(28)
@pytest.mark.parametrize(
    "plant", [link_to_file, link_to_nothing, link_within, folder, pipe, device, huge_file, looping_link]
)
def test_whatever_lies_in_its_place_is_neither_read_nor_changed(
    files: CorrectionFiles, project: Path, tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    plant(project / CORRECTIONS_FILE, tmp_path / "elsewhere")
    before = snapshot(tmp_path)
    for call in (files.change(str(project), CHANGE), files.table(str(project))):
        with pytest.raises(Refusal) as caught:
            asyncio.run(call)
        assert caught.value.problem.code == "corrections_unusable"
        assert "secret" not in str(caught.value)
    assert snapshot(tmp_path) == before


@pytest.mark.door(28)
def test_a_folder_on_the_way_that_became_a_link_is_not_entered(files: CorrectionFiles, project: Path) -> None:
    project.rename(project.with_name("bert"))
    project.symlink_to("bert")
    for call in (files.change(str(project), CHANGE), files.table(str(project)), files.table("/etc")):
        with pytest.raises(Refusal) as caught:
            asyncio.run(call)
        assert caught.value.problem.code == "bad_fields"
    assert not (project / CORRECTIONS_FILE).exists()


@pytest.mark.door(28)
def test_rows_only_choose_among_the_pictures_and_classes_that_are_there(project: Path, tmp_path: Path) -> None:
    (tmp_path / "root" / "bert").mkdir()
    (tmp_path / "root" / "bert" / "1.png").write_bytes((project / "images" / "rose" / "0.png").read_bytes())
    names = [
        "../bert/1.png",
        "/etc/passwd",
        str(tmp_path / "root" / "bert" / "1.png"),
        "images/rose/../../../bert/1.png",
    ]
    rows = [f"{name},label,rose" for name in names] + ["images/rose/0.png,label,../../bert", "images/rose/1.png,label,"]
    (project / CORRECTIONS_FILE).write_text("\n".join(["picture,action,label", *rows, ""]))
    layout = recognise_classes(walk(UserFiles.at(project.resolve())))
    assert layout.labels == ("rose", "tulip")
    assert len(layout.pictures) == 6
    (found,) = (one for one in layout.findings if one.code == "corrections_not_used")
    assert f": {len(rows)}." in found.sentence


@pytest.mark.door(28)
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\uff1d"])
def test_a_name_is_never_a_formula_and_still_means_its_picture(
    files: CorrectionFiles, project: Path, start: str
) -> None:
    (project / "images").rename(project / f"{start}cmd|' calc'!A0")
    picture = f"{start}cmd|' calc'!A0/rose/0.png"
    asyncio.run(files.change(str(project), {picture: Correction(picture, Action.EXCLUDE)}))
    with (project / CORRECTIONS_FILE).open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row if cell]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\uff1d")) for cell in cells)
    layout = recognise_classes(walk(UserFiles.at(project.resolve())))
    assert [file.path for file in layout.unused] == [picture]
