"""Which files of a folder may be pictures, and what is said of those that can't be."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from trainer_worker.layouts.picture_index import PictureIndex
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.user_files import RefusedFileError, UserFiles


def candidates(root: Path) -> list[str]:
    return PictureIndex(walk(UserFiles.at(root))).paths


def skipped(root: Path) -> dict[str, str]:
    return {skip.file: skip.reason for skip in walk(UserFiles.at(root)).skipped}


def test_litter_is_left_out_and_odd_names_are_not(tmp_path: Path) -> None:
    pictures = ["b.JPG", "a.png", "no_extension", "c.jpg.webp", "photo (1).jpeg", "d.heic", "ünï.png"]
    litter = [
        ".DS_Store",
        "._a.png",
        "Thumbs.db",
        "desktop.ini",
        "notes.txt",
        "labels.CSV",
        "x.json",
        "y.xml",
        "a.png~",
    ]
    for name in pictures + litter:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "folder.png" / "inside.png").write_bytes(b"x")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "a.png").write_bytes(b"x")

    assert candidates(tmp_path) == sorted([*pictures, "folder.png/inside.png"])
    assert skipped(tmp_path) == {}


def test_links_that_lead_outside_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.png").write_bytes(b"x")
    (inside / "a.png").write_bytes(b"x")
    (inside / "link_in.png").symlink_to(inside / "a.png")
    (inside / "link_out.png").symlink_to(outside / "secret.png")
    (inside / "link_gone.png").symlink_to(inside / "gone.png")
    (inside / "folder_out").symlink_to(outside)

    assert candidates(inside) == ["a.png", "link_in.png"]
    assert skipped(inside) == {
        "folder_out": "it is a link that leads out of the project",
        "link_gone.png": "it is a link to a file that is missing",
        "link_out.png": "it is a link that leads out of the project",
    }


def test_pipes_are_no_candidates(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert candidates(tmp_path) == []
    assert skipped(tmp_path) == {"pipe.png": "it is a pipe, a socket or a device"}


def test_links_in_a_circle_are_named(tmp_path: Path) -> None:
    for name in ("pool", "images"):
        (tmp_path / name).mkdir()
    (tmp_path / "pool" / "a.png").write_bytes(b"x")
    (tmp_path / "images" / "of_pool.png").symlink_to("../pool/a.png")
    (tmp_path / "images" / "up").symlink_to("..")
    (tmp_path / "images" / "loop.png").symlink_to("loop.png")
    (tmp_path / "images" / "one.png").symlink_to("two.png")
    (tmp_path / "images" / "two.png").symlink_to("one.png")
    assert candidates(tmp_path) == ["images/of_pool.png", "pool/a.png"]
    reasons = {file.removeprefix("images/"): reason for file, reason in skipped(tmp_path).items()}
    assert {name for name, reason in reasons.items() if "leads back to itself" in reason} == {
        "loop.png",
        "one.png",
        "two.png",
    }
    assert reasons.keys() - {"loop.png", "one.png", "two.png"} == {"up"}


def test_sockets_are_no_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 bytes only
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.png")
        assert skipped(tmp_path).keys() == {"s.png"}


def test_names_that_are_not_utf8_and_folders_too_deep_end_nothing(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe.png")
    (tmp_path / odd).write_bytes(b"x")
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):  # 4,500 bytes: more than a path may have
        os.mkdir("ab", dir_fd=here)
        below = os.open("ab", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    found, left_out = candidates(tmp_path), skipped(tmp_path)
    with pytest.raises(RefusedFileError, match="longer than the system can open"):
        UserFiles.at(tmp_path).entries(tmp_path / "/".join(["ab"] * 1500))
    subprocess.run(["rm", "-rf", tmp_path / "ab"], check=True)  # too deep for shutil
    assert found == [odd]
    assert ["folders deep" in reason for reason in left_out.values()] == [True]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_is_listed(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert [(file, "permission" in reason) for file, reason in skipped(tmp_path).items()] == [("closed", True)]


@pytest.mark.parametrize("is_link", [True, False])
def test_a_project_that_was_exchanged_is_still_the_one_that_was_opened(tmp_path: Path, is_link: bool) -> None:
    project, away = tmp_path / "project", tmp_path / "away"
    project.mkdir()
    (project / "a.png").write_bytes(b"abc")
    (project / "absolute.png").symlink_to(project / "a.png")
    files = UserFiles.at(project)
    with files.open(project / "absolute.png") as file:
        assert file.read() == b"abc"
    other = tmp_path / "other" if is_link else project
    project.rename(away)
    other.mkdir()
    for name in ("a.png", "b.png"):
        (other / name).write_bytes(b"secret")
    if is_link:
        project.symlink_to("other")
    with files.open(project / "a.png") as file:
        assert file.read() == b"abc"
    with pytest.raises(RefusedFileError, match="missing"):
        files.open(project / "b.png")
    with pytest.raises(RefusedFileError, match="leads out of the project"):
        files.open(project / "absolute.png")
    assert {entry.name for entry in files.entries(project)} == {"a.png", "absolute.png"}


def test_a_folder_whose_name_begins_like_the_project_is_outside(tmp_path: Path) -> None:
    for name in ("p", "p2"):
        (tmp_path / name).mkdir()
    (tmp_path / "p2" / "a.png").write_bytes(b"secret")
    (tmp_path / "p" / "a.png").symlink_to("../p2/a.png")
    with pytest.raises(RefusedFileError, match="leads out of the project"):
        UserFiles.at(tmp_path / "p").open(tmp_path / "p" / "a.png")
