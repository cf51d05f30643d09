"""The check of a folder is a door of its own: a hostile folder is answered, and shows nothing of its neighbours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.parse
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conf.settings import ROOT
from protocol.options import OPTIONS_BY_TRAIN_TYPE
from tests.drawn_projects import draw_classes, draw_pairs
from tests.security.outside import reads_of, snapshot
from tests.socket.programs import FORM_HEADERS, Answer, Programs
from tests.waiting import TIMEOUT_S

SECRET = "secret-of-bert"
HUGE_BYTES = 2**43
#: Names that begin a line of their own, colour a terminal, turn the writing, and are not UTF-8.
FORGED = b"a\n2026-11-29T10:00:00.000 INFO web forged"
HOSTILE_NAMES = (FORGED, b"\x1b[31mred\x1b]0;title\x07", b"\xe2\x80\xaegnp", b"\xff")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("checks")) as running:
        yield running


@pytest.fixture
def project(programs: Programs, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that both trainTypes may be asked for."""
    folder = programs.projects / f"anna-{abs(hash(request.node.name))}"
    yield draw_pairs(draw_classes(folder, {"rose": 3, "tulip": 3}), 5)
    subprocess.run(["rm", "-rf", folder], check=True)


@pytest.fixture(scope="module")
def neighbour(programs: Programs) -> Path:
    folder = draw_classes(programs.projects / "bert", {SECRET: 3, "tulip": 3})
    (folder / "labels_info.txt").write_text(SECRET)
    return folder


def check(programs: Programs, project: Path, train_type: str) -> Answer:
    fields = {"userId": "anna", "projectId": "p", "projectDir": str(project), "trainType": train_type}
    return programs.call("POST", "/v1/check", urllib.parse.urlencode(fields).encode(), FORM_HEADERS)


def pipe(project: Path, neighbour: Path) -> None:
    for place in ("images/rose/9.png", "masks/4.png", "labels_info.txt", "classes.txt", "images/pipe"):
        (project / place).unlink(missing_ok=True)
        os.mkfifo(project / place)


def endless_file(project: Path, neighbour: Path) -> None:
    for place in ("images/rose/9.png", "train.csv", "annotations.json", "all.zip"):
        with (project / place).open("wb") as file:
            file.truncate(HUGE_BYTES)


def device_and_socket(project: Path, neighbour: Path) -> None:
    (project / "images" / "rose" / "9.png").symlink_to("/dev/zero")
    (project / "labels_info.txt").symlink_to("/dev/zero")
    os.chdir(project)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as ours:
        ours.bind("images/rose/s.png")
    os.chdir(ROOT)


def links_out(project: Path, neighbour: Path) -> None:
    (project / "images" / "theirs").symlink_to(neighbour / "images" / SECRET)
    (project / "images" / "rose" / "9.png").symlink_to(neighbour / "images" / "tulip" / "0.png")
    (project / "labels_info.txt").symlink_to(neighbour / "labels_info.txt")
    (project / "classes.txt").symlink_to(neighbour / "labels_info.txt")
    (project / "root").symlink_to("/")


def link_loops(project: Path, neighbour: Path) -> None:
    for number in range(50):
        (project / "images" / f"up{number}").symlink_to("..")
    (project / "images" / "rose" / "9.png").symlink_to("9.png")


def nested_folders(project: Path, neighbour: Path) -> None:
    # pathlib and shutil call themselves for each folder, so a thousand are too many for them.
    subprocess.run(["mkdir", "-p", project / "images" / "rose" / "/".join(["d"] * 1000)], check=True)


def zip_bomb(project: Path, neighbour: Path) -> None:
    for path in sorted(project.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with zipfile.ZipFile(project / "all.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images/rose/0.png", bytes(10**8))
        archive.writestr("../../bert/images/tulip/9.png", b"x")
        archive.writestr("labels_info.txt", bytes(10**8))


def hostile_names(project: Path, neighbour: Path) -> None:
    for name in HOSTILE_NAMES:
        folder = os.fsencode(project / "images") + b"/" + name
        os.mkdir(folder)  # noqa: PTH102 - names that are not UTF-8
        for number in range(3):
            with open(folder + b"/" + name + b"%d.png" % number, "wb") as file:
                file.write(b"no picture")


HOSTILITIES = (
    *(pipe, endless_file, device_and_socket, links_out, link_loops, nested_folders, zip_bomb, hostile_names),
)


@pytest.mark.door(5)
@pytest.mark.parametrize("train_type", sorted(OPTIONS_BY_TRAIN_TYPE))
@pytest.mark.parametrize("make_hostile", HOSTILITIES)
def test_a_hostile_folder_is_answered_and_reaches_nothing_beside_it(
    programs: Programs,
    project: Path,
    neighbour: Path,
    make_hostile: Callable[[Path, Path], None],
    train_type: str,
) -> None:
    make_hostile(project, neighbour)
    before = snapshot(neighbour)
    with reads_of(neighbour) as watch:
        answer = check(programs, project, train_type)
        assert not watch.take()

    assert answer.status == 200, answer
    assert SECRET not in str(answer.body)
    assert snapshot(neighbour) == before
    assert not (project / "models").exists()
    assert not (project / ".tfmodel").exists()


@pytest.mark.door(20)
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_no_name_forges_a_line_of_a_report_or_log(
    programs: Programs, project: Path, neighbour: Path, words: tuple[str, ...]
) -> None:
    hostile_names(project, neighbour)
    done = subprocess.run(
        [sys.executable, "server.py", "check", str(project), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Replace or delete what can't be read" in done.stdout
    for line in (*done.stdout.splitlines(), *done.stderr.splitlines()):
        assert line.isprintable(), line
        assert not line.lstrip().startswith("2026-11-29T10:00:00.000")
    check(programs, project, "classification")
    assert not [line for line in programs.log_of("web").splitlines() if line.endswith("INFO web forged")]
