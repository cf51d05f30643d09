"""What a stranger may put among the pictures of a project: nothing is read from outside, nothing blocks or ends it."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from protocol.errors import TrainingError
from tests.bytes_read import bytes_read
from trainer_worker.classification import folders as class_folders
from trainer_worker.pictures.contents import content_hashes
from trainer_worker.pictures.images import PictureReader, UnreadableImageError, image_size, read_rgb
from trainer_worker.pictures.user_files import UserFiles
from trainer_worker.segmentation import folders as mask_folders
from trainer_worker.segmentation.folders import Cutting, read_pairs
from trainer_worker.segmentation.mask_rule import BLACK_AND_WHITE
from trainer_worker.segmentation.masks import read_mask

SECRET = "the neighbour's secret line"
PATIENCE_S = 120.0


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Another user's folder: a text, a white picture, and a mask."""
    folder = tmp_path / "neighbour"
    folder.mkdir()
    (folder / "secret.txt").write_text(f"{SECRET}\n{SECRET}\n")
    Image.new("RGB", (32, 32), "white").save(folder / "0.png")
    return folder


@pytest.fixture
def project(tmp_path: Path, outside: Path) -> Path:
    """Two classes of four black pictures."""
    folder = tmp_path / "project"
    for label in ("blue", "red"):
        (folder / "images" / label).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (32, 32), (number, 0, 0)).save(folder / "images" / label / f"{number}.png")
    return folder


@pytest.fixture
def masked(tmp_path: Path, outside: Path) -> Path:
    """Six pictures with masks; the pictures carry a quarter turn, so that masks are compared with them."""
    folder = tmp_path / "masked"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(6):
        Image.new("RGB", (40, 32)).save(folder / "images" / f"{number}.jpg", exif=exif)
        Image.fromarray(np.eye(32, 40, dtype=np.uint8)).save(folder / "masks" / f"{number}_mask.png")
    return folder


def in_time(work: Callable[[], Any]) -> Any:
    """Its result; a failure when it blocks."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert found, "it blocks"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def replace(path: Path, target: Path) -> None:
    """Swap what lies there for a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    path.symlink_to(target)


# --- small text files ----------------------------------------------------------------------------------------------

SMALL_FILES = {
    "labels_info.txt": (class_folders.scan_class_folders, "bad_labels_info"),
    "classes.txt": (mask_folders.scan_mask_folders, "bad_classes"),
}


def a_link_out(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "secret.txt")


def a_loop(path: Path, outside: Path) -> None:
    path.symlink_to(path.name)


def a_link_to_nothing(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "gone")


def a_pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def a_link_to_a_device(path: Path, outside: Path) -> None:
    path.symlink_to("/dev/zero")


def a_folder(path: Path, outside: Path) -> None:
    path.mkdir()


def eight_terabytes(path: Path, outside: Path) -> None:
    with path.open("wb") as file:
        file.truncate(8 * 1024**4)


ODD_THINGS = [a_link_out, a_loop, a_link_to_nothing, a_pipe, a_link_to_a_device, eight_terabytes]


@pytest.mark.door(4)
@pytest.mark.parametrize("name", SMALL_FILES)
@pytest.mark.parametrize("make", [*ODD_THINGS, a_folder])
def test_small_text_files_are_regular_inside_and_bounded(
    request: pytest.FixtureRequest, outside: Path, name: str, make: Callable[[Path, Path], None]
) -> None:
    scan, code = SMALL_FILES[name]
    folder = request.getfixturevalue("project" if name == "labels_info.txt" else "masked")
    make(folder / name, outside)
    with pytest.raises(TrainingError) as caught:
        in_time(lambda: scan(UserFiles.at(folder)))
    assert caught.value.code == code
    assert name in caught.value.error
    assert SECRET not in caught.value.error
    assert str(outside) not in caught.value.error


@pytest.mark.door(4)
def test_a_huge_index_is_a_wrong_line_and_no_crash(project: Path) -> None:
    (project / "labels_info.txt").write_text(f"name,index\nblue,{'9' * 5000}\nred,0\n")
    with pytest.raises(TrainingError) as caught:
        class_folders.scan_class_folders(UserFiles.at(project))
    assert caught.value.code == "bad_labels_info"


# --- among the pictures --------------------------------------------------------------------------------------------


@pytest.mark.door(5)
@pytest.mark.parametrize("make", [thing for thing in ODD_THINGS if thing is not eight_terabytes])
def test_odd_things_among_pictures_are_skipped_and_listed(
    project: Path, outside: Path, make: Callable[[Path, Path], None]
) -> None:
    make(project / "images" / "red" / "odd.png", outside)
    make(project / "images" / "odd_class", outside)
    folders = in_time(lambda: class_folders.scan_class_folders(UserFiles.at(project)))
    assert folders.labels == ("blue", "red")
    assert len(folders.files) == 8
    assert {skip.file for skip in folders.skipped} == {"images/red/odd.png", "images/odd_class"}
    assert all(skip.reason and str(outside) not in skip.reason for skip in folders.skipped)


@pytest.mark.door(5)
@pytest.mark.parametrize("name", ["images/odd.jpg", "masks/odd_mask.png"])
@pytest.mark.parametrize("make", [thing for thing in ODD_THINGS if thing is not eight_terabytes])
def test_odd_things_among_masks_are_skipped_and_listed(
    masked: Path, outside: Path, make: Callable[[Path, Path], None], name: str
) -> None:
    make(masked / name, outside)
    folders = in_time(lambda: mask_folders.scan_mask_folders(UserFiles.at(masked)))
    assert len(folders.pairs) == 6
    assert [skip.file for skip in folders.skipped] == [name]


@pytest.mark.door(5)
def test_a_class_folder_may_be_a_link_inside_but_hold_no_folder_that_holds_it(project: Path, outside: Path) -> None:
    (project / "pool").mkdir()
    shutil.copy(project / "images" / "red" / "0.png", project / "pool" / "a.png")
    (project / "images" / "green").symlink_to("../pool")
    (project / "images" / "up").symlink_to("..")
    (project / "images" / "out").symlink_to(outside)
    folders = class_folders.scan_class_folders(UserFiles.at(project))
    assert folders.labels == ("blue", "green", "red")
    assert {skip.file: skip.reason for skip in folders.skipped} == {
        "images/out": "it is a link that leads out of the project",
        "images/up": "it is a link to a folder that holds the link itself",
    }


@pytest.mark.door(5)
def test_a_file_of_8_tb_costs_nothing(project: Path) -> None:
    eight_terabytes(project / "images" / "red" / "large.jpg", project)
    before = bytes_read()
    folders = class_folders.scan_class_folders(UserFiles.at(project))
    hashes = content_hashes(folders.reader.files, folders.files)
    large = folders.files[hashes.index("")]
    with pytest.raises(UnreadableImageError, match="larger than 1,024 MB"):
        read_rgb(folders.reader, large, (32, 32))
    assert bytes_read() - before < 1024**2


# --- swapped between listing and reading ---------------------------------------------------------------------------


@pytest.mark.door(3)
@pytest.mark.parametrize("what", ["images/red/0.png", "images/red", "images", "."])
def test_what_is_swapped_for_a_link_after_the_scan_is_not_read(project: Path, outside: Path, what: str) -> None:
    shutil.copytree(outside, outside / "images" / "red")  # whichever is swapped, a file of that name is there
    shutil.copytree(outside / "images" / "red", outside / "red")
    folders = class_folders.scan_class_folders(UserFiles.at(project))
    target = {"images/red/0.png": "0.png", "images/red": "", "images": "", ".": ""}[what]
    replace(project / what, (outside / "images" if what == "images" else outside) / target)
    path = project / "images" / "red" / "0.png"
    assert path.is_file(), "the test would prove nothing"
    for read in (read_rgb, image_size):
        with pytest.raises(UnreadableImageError, match=r"leads out of the project|is missing"):
            read(folders.reader, path)
    assert content_hashes(folders.reader.files, [path]) == [""]


@pytest.mark.door(3)
@pytest.mark.parametrize("what", ["images/0.jpg", "masks/0_mask.png", "images", "masks"])
@pytest.mark.parametrize("tiles", [0, 4])
def test_pictures_and_masks_swapped_after_the_scan_are_skipped(
    masked: Path, outside: Path, what: str, tiles: int
) -> None:
    folders = mask_folders.scan_mask_folders(UserFiles.at(masked))
    other = outside / "pairs"
    shutil.copytree(masked, other)
    replace(masked / what, other / what)
    if what in ("images", "masks"):
        with pytest.raises(TrainingError, match="leads out of the project"):
            read_pairs(folders, Cutting(32, tiles), 2, lambda share: None)
        return
    read_pairs(folders, Cutting(32, tiles), 2, lambda share: None)
    assert [(skip.file, skip.reason) for skip in folders.skipped] == [
        (what, "it is a link that leads out of the project")
    ]


@pytest.mark.door(3)
def test_the_picture_that_tells_how_a_mask_is_turned_is_read_by_the_door(masked: Path, outside: Path) -> None:
    reader = PictureReader(UserFiles.at(masked))
    a_pipe(masked / "images" / "pipe.jpg", outside)
    for picture in (masked / "images" / "pipe.jpg", outside / "0.png"):
        mask = masked / "masks" / "0_mask.png"
        with pytest.raises(UnreadableImageError):
            in_time(functools.partial(read_mask, reader, mask, (32, 32), BLACK_AND_WHITE, picture))


@pytest.mark.door(3)
def test_swapping_all_the_time_never_shows_the_neighbours_picture(project: Path, outside: Path) -> None:
    """The neighbour's picture is white, ours are black; a thread swaps file and folder for links while we read."""
    folders = class_folders.scan_class_folders(UserFiles.at(project))
    ended = threading.Event()
    red, path = project / "images" / "red", project / "images" / "red" / "0.png"
    kept, linked = project / "kept", project / "linked"
    linked.symlink_to(outside)
    (project / "link.png").symlink_to(outside / "0.png")

    def swap() -> None:
        while not ended.is_set():
            red.rename(kept)
            linked.rename(red)
            red.rename(linked)
            kept.rename(red)
            os.link(project / "link.png", project / "again.png", follow_symlinks=False)
            path.rename(project / "mine.png")
            (project / "again.png").rename(path)
            (project / "mine.png").rename(path)

    thread = threading.Thread(target=swap)
    thread.start()
    read = refused = 0
    try:
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            try:
                assert read_rgb(folders.reader, path).max() == 0, "the neighbour's picture was read"
                read += 1
            except UnreadableImageError as error:
                refused += "leads out" in error.reason
            with contextlib.suppress(TrainingError):  # a moment without a folder
                for entry in class_folders.scan_class_folders(UserFiles.at(project)).files:
                    assert entry.name in {"0.png", "1.png", "2.png", "3.png"}
    finally:
        ended.set()
        thread.join(PATIENCE_S)
    assert read + refused


# --- what the caller hears -----------------------------------------------------------------------------------------


class NoFeatures:
    """In place of CachedFeatures: every picture is read, and has features of one number."""

    def of_files(self, reader: PictureReader, paths: Sequence[Path], contents: Sequence[str]) -> Iterator[Any]:
        from trainer_worker.classification.features import PictureFeatures

        for path in paths:
            try:
                read_rgb(reader, path, (8, 8))
                yield PictureFeatures(np.zeros((1, 1, 1)), np.zeros(1), np.zeros((16, 16, 3)))
            except UnreadableImageError as error:
                yield error


@pytest.mark.door(5)
def test_all_that_was_skipped_reaches_the_report_of_a_classification(project: Path, outside: Path) -> None:
    from trainer_worker.classification.dataset import read_dataset

    a_loop(project / "images" / "red" / "loop.png", outside)
    a_pipe(project / "images" / "blue" / "pipe.png", outside)
    eight_terabytes(project / "images" / "red" / "large.jpg", outside)
    data = read_dataset(class_folders.scan_class_folders(UserFiles.at(project)), NoFeatures(), lambda done: None)  # type: ignore[arg-type]
    assert sorted(skip.file for skip in data.skipped) == [
        "images/blue/pipe.png",
        "images/red/large.jpg",
        "images/red/loop.png",
    ]


@pytest.mark.door(5)
def test_a_cancel_ends_the_hashing_before_the_first_picture(project: Path) -> None:
    from trainer_worker.attempt.job import Cancelled
    from trainer_worker.classification.dataset import read_dataset

    for number in range(8):
        with (project / "images" / "red" / f"large{number}.jpg").open("wb") as file:
            file.truncate(1024**3)

    before: list[int] = []

    def cancel(done: int) -> None:
        before.append(bytes_read())
        raise Cancelled

    with pytest.raises(Cancelled):
        read_dataset(class_folders.scan_class_folders(UserFiles.at(project)), NoFeatures(), cancel)  # type: ignore[arg-type]
    assert bytes_read() - before[0] < 1024**3 / 4
