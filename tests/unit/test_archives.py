"""Zips in place of pictures: understood like folders, unpacked within bounds, and refused with a sentence."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from protocol.errors import TrainingError
from tests.project_trees import codes, counts, split
from trainer_worker.classification.folders import scan_class_folders
from trainer_worker.layouts import archives as archives_module
from trainer_worker.layouts import zip_listing
from trainer_worker.layouts.archives import archives_of, look_into_archives, unpack
from trainer_worker.layouts.class_folders import recognise_classes
from trainer_worker.layouts.layout import ClassLayout
from trainer_worker.layouts.tree import walk
from trainer_worker.pictures.user_files import UserFiles


def write_zip(path: Path, *names: str, method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(name, name.encode())


def names(folder: str, count: int = 3) -> list[str]:
    return [f"{folder}{number}.jpg" for number in range(count)]


def looked_at(project: Path) -> ClassLayout:
    files = UserFiles.at(project.resolve())
    return recognise_classes(look_into_archives(files, walk(files)))


def unpacked(project: Path, into: Path) -> Path:
    files = UserFiles.at(project.resolve())
    into.mkdir()
    unpack(files, walk(files), into)
    return into


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def test_one_zip_of_everything(project: Path, tmp_path: Path) -> None:
    write_zip(
        project / "pets.zip", *names("PetImages/cat/"), *names("PetImages/dog/"), "__MACOSX/PetImages/cat/._1.jpg"
    )
    assert counts(looked_at(project)) == {"cat": 3, "dog": 3}
    folders = scan_class_folders(UserFiles.at(unpacked(project, tmp_path / "into")))
    assert folders.counts() == {"cat": 3, "dog": 3}
    assert folders.files[0].read_bytes() == b"PetImages/cat/0.jpg"


def test_one_zip_a_class_or_a_part(project: Path, tmp_path: Path) -> None:
    write_zip(project / "cat.zip", *names(""))
    write_zip(project / "dog.ZIP", *names("dog/"))
    assert counts(looked_at(project)) == {"cat": 3, "dog": 3}
    assert scan_class_folders(UserFiles.at(unpacked(project, tmp_path / "into"))).counts() == {"cat": 3, "dog": 3}
    parts = tmp_path / "parts"
    parts.mkdir()
    for part in ("train", "test"):
        write_zip(parts / f"{part}.zip", *names(f"{part}/cat/"), *names(f"{part}/dog/"))
    assert split(looked_at(parts)) == {"train": 6, "val": 0, "test": 6}


def test_a_list_beside_a_zip_and_one_inside(project: Path, tmp_path: Path) -> None:
    text = "image,label\n" + "".join(f"{number}.jpg,{'cd'[number % 2]}\n" for number in range(4))
    write_zip(project / "train.zip", *names("", 4))
    (project / "train.csv").write_text(text)
    assert counts(looked_at(project)) == {"c": 2, "d": 2}
    assert scan_class_folders(UserFiles.at(unpacked(project, tmp_path / "into"))).counts() == {"c": 2, "d": 2}
    inside = tmp_path / "inside"
    inside.mkdir()
    with zipfile.ZipFile(inside / "all.zip", "w") as archive:
        archive.writestr("labels.csv", text)
        for name in names("images/", 4):
            archive.writestr(name, b"x")
    assert counts(looked_at(inside)) == {"c": 2, "d": 2}


def test_zips_beside_pictures_are_named_and_not_unpacked(project: Path) -> None:
    for kind in ("cat", "dog"):
        (project / kind).mkdir()
        for name in names("", 2):
            (project / kind / name).write_bytes(b"x")
    write_zip(project / "more.zip", *names("bird/"))
    assert archives_of(walk(UserFiles.at(project.resolve()))) == []
    assert codes(looked_at(project)) == {"unused_archives"}


def test_names_without_the_utf8_flag_are_read_as_utf8_or_cp437(project: Path) -> None:
    with zipfile.ZipFile(project / "a.zip", "w") as archive:
        for number in range(2):
            archive.writestr(f"cafe/{number}.jpg", b"x")
            archive.writestr(f"grun/{number}.jpg", b"x")
    content = (project / "a.zip").read_bytes()
    # Of the same length, and without a flag that says which encoding it is.
    content = content.replace(b"cafe/", "fé".encode() + b"e/").replace(b"grun/", "grün/".encode("cp437"))
    (project / "a.zip").write_bytes(content)
    assert looked_at(project).labels == ("fée", "grün")


def damaged_list(path: Path) -> None:
    write_zip(path, "a.jpg")
    path.write_bytes(path.read_bytes()[:-40])


def encrypted(path: Path) -> None:
    write_zip(path, "a.jpg")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, at + 8, 1)
    path.write_bytes(content)


def huge_entry(path: Path) -> None:
    write_zip(path, "a.jpg")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 2**31)
    path.write_bytes(content)


def packed_oddly(path: Path) -> None:
    write_zip(path, "a.jpg")
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, at + 10, 9)
    path.write_bytes(content)


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.jpg", b"2")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: write_zip(path, "../../out.jpg"), "leads out of it"),
        (lambda path: write_zip(path, "/etc/out.jpg"), "leads out of it"),
        (lambda path: write_zip(path, "C:\\out.jpg"), "leads out of it"),
        (lambda path: write_zip(path, "a\\..\\..\\out.jpg"), "leads out of it"),
        (lambda path: write_zip(path, "/".join(["d"] * 60)), "too long or too deep"),
        (lambda path: write_zip(path, "x" * 300 + ".jpg"), "too long or too deep"),
        (lambda path: write_zip(path, "a.jpg", "inner.zip"), "holds another archive, inner.zip"),
        (lambda path: write_zip(path, "a", "a/b.jpg"), "as a file and as a folder"),
        (lambda path: path.write_bytes(b"no zip at all"), "is damaged, or no zip"),
        (damaged_list, "is damaged, or no zip"),
        (encrypted, "is encrypted"),
        (huge_entry, "has more than 1,024 MB"),
        (packed_oddly, "packed in a way"),
        (lambda path: write_zip(path, "a.jpg", method=zipfile.ZIP_LZMA), "packed in a way"),
        (twice, "twice"),
    ],
)
def test_what_is_refused_is_said_in_words(project: Path, tmp_path: Path, make: object, says: str) -> None:
    make(project / "odd.zip")  # type: ignore[operator]
    files = UserFiles.at(project.resolve())
    for work in (lambda: look_into_archives(files, walk(files)), lambda: unpacked(project, tmp_path / "into")):
        with pytest.raises(TrainingError) as caught:
            work()
        assert caught.value.code == "layout_unsupported"
        assert "odd.zip" in caught.value.error
        assert says in caught.value.error
    assert list((tmp_path / "into").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["into", "project"]


def test_bombs_are_refused_before_they_are_unpacked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(project / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.bmp", bytes(2_000_000))
    files = UserFiles.at(project.resolve())
    monkeypatch.setattr(zip_listing, "RATIO_MATTERS_FROM_BYTES", 1_000_000)
    with pytest.raises(TrainingError, match="more than 100 times its size"):
        look_into_archives(files, walk(files))
    monkeypatch.undo()
    look_into_archives(files, walk(files))
    for where in (zip_listing, archives_module):
        monkeypatch.setattr(where, "MAX_UNPACKED_BYTES", 1_000_000)
    with pytest.raises(TrainingError, match="unpacks to more than"):
        look_into_archives(files, walk(files))
    monkeypatch.setattr(zip_listing, "MAX_ENTRIES", 0)
    with pytest.raises(TrainingError, match="holds more than 0 files"):
        look_into_archives(files, walk(files))


def test_an_entry_that_is_longer_than_it_says_costs_itself_only(project: Path, tmp_path: Path) -> None:
    write_zip(project / "a.zip", *names("cat/"), *names("dog/"), method=zipfile.ZIP_STORED)
    content = (project / "a.zip").read_bytes()
    (project / "a.zip").write_bytes(content.replace(b"cat/0.jpgcat/0.jpg", b"cat/0.jpgCAT/0.jpg"))
    into = unpacked(project, tmp_path / "into")
    assert (into / "a" / "cat" / "0.jpg").read_bytes() == b""
    assert (into / "a" / "cat" / "1.jpg").read_bytes() == b"cat/1.jpg"
    assert scan_class_folders(UserFiles.at(into)).counts() == {"cat": 3, "dog": 3}


def test_links_in_archives_are_left_out_and_named(project: Path, tmp_path: Path) -> None:
    write_zip(project / "a.zip", *names("cat/"), *names("dog/"))
    with zipfile.ZipFile(project / "a.zip", "a") as archive:
        link = zipfile.ZipInfo("cat/link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert codes(looked_at(project)) == {"links_in_archives"}
    into = unpacked(project, tmp_path / "into")
    assert not os.path.lexists(into / "a" / "cat" / "link.jpg")
    assert not any(path.is_symlink() for path in into.rglob("*"))


def test_other_archives_are_named_with_the_cure(project: Path) -> None:
    (project / "cats.rar").write_bytes(b"Rar!")
    with pytest.raises(TrainingError) as caught:
        scan_class_folders(UserFiles.at(project))
    assert "cats.rar" in caught.value.error
    assert "only .zip files are unpacked" in caught.value.error
    write_zip(project / "dogs.zip", *names(""))
    with pytest.raises(TrainingError, match=r"cats\.rar is an archive of a kind that is not unpacked"):
        looked_at(project)


def test_unpacking_can_be_ended(project: Path, tmp_path: Path) -> None:
    class EnoughError(Exception):
        pass

    def tell() -> None:
        raise EnoughError

    write_zip(project / "a.zip", *names("cat/"))
    files = UserFiles.at(project.resolve())
    with pytest.raises(EnoughError):
        unpack(files, walk(files), tmp_path / "into", tell)


def test_a_list_of_entries_that_claims_gigabytes_is_not_read(project: Path) -> None:
    write_zip(project / "a.zip", "cat/a.jpg")
    content = bytearray((project / "a.zip").read_bytes())
    with (project / "a.zip").open("wb") as file:
        file.truncate(4 * 1024**3 - 1000)  # a hole
        file.seek(0, io.SEEK_END)
        end = bytearray(content[content.index(b"PK\x05\x06") :])
        struct.pack_into("<I", end, 12, 2**31)
        file.write(end)
    files = UserFiles.at(project.resolve())
    with pytest.raises(TrainingError, match="its list of files has more than 32 MB"):
        look_into_archives(files, walk(files))


def test_pictures_in_zips_are_corrected_by_the_names_that_they_have_there(project: Path, tmp_path: Path) -> None:
    write_zip(project / "pets.zip", *names("cat/", 4), *names("dog/"), "corrections.csv")
    rows = "picture,action,label\npets/cat/0.jpg,exclude,\npets/cat/1.jpg,label,dog\n"
    (project / "corrections.csv").write_text(rows)
    layout = looked_at(project)
    assert counts(layout) == {"cat": 2, "dog": 4}
    assert codes(layout) == {"corrections", "corrections_elsewhere"}
    folders = scan_class_folders(UserFiles.at(unpacked(project, tmp_path / "into")))
    assert folders.counts() == {"cat": 2, "dog": 4}
    assert [skip.file for skip in folders.skipped] == ["pets/cat/0.jpg"]
    assert folders.looked_at == {"pets/cat/1.jpg"}
