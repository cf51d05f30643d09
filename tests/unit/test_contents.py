"""Hashing the user's files: in steps that show how far it is, and that a cancel ends."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.bytes_read import bytes_read
from trainer_worker.pictures.contents import content_groups, content_hashes
from trainer_worker.pictures.user_files import MAX_FILE_BYTES, UserFiles


class CancelledError(Exception):
    """What a reporter would raise."""


def test_hashes_are_those_of_the_contents_and_progress_ends_at_all(tmp_path: Path) -> None:
    contents = [b"", b"abc", b"x" * 3_000_000]
    paths = [tmp_path / str(number) for number in range(3)]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    told: list[float] = []
    found = content_hashes(UserFiles.at(tmp_path), paths, told.append)
    assert found == [hashlib.sha256(content).hexdigest() for content in contents]
    assert told[-1] == 1.0
    assert told == sorted(told)
    assert content_hashes(UserFiles.at(tmp_path), [], told.append) == []


def test_a_cancel_ends_the_hashing_in_the_middle_of_a_large_file(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(20)]
    for path in paths:
        with path.open("wb") as file:
            file.truncate(MAX_FILE_BYTES)  # sparse: 20 GB to hash, nothing on the disk

    before: list[int] = []

    def cancel(share: float) -> None:
        before.append(bytes_read())
        assert share < 1.0
        raise CancelledError

    with pytest.raises(CancelledError):
        content_hashes(UserFiles.at(tmp_path), paths, cancel)
    assert bytes_read() - before[0] < MAX_FILE_BYTES / 4


def test_a_file_too_large_to_be_a_picture_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(8 * 1024**4)
    before = bytes_read()
    assert content_hashes(UserFiles.at(tmp_path), [path]) == [""]
    assert bytes_read() - before < 1024**2


def test_what_cannot_be_read_is_in_no_group(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"same")
    (tmp_path / "b").write_bytes(b"same")
    (tmp_path / "c").symlink_to("/etc/hostname")
    paths = [tmp_path / name for name in ("a", "b", "c", "gone")]
    hashes = content_hashes(UserFiles.at(tmp_path), paths)
    assert hashes[2:] == ["", ""]
    assert content_groups(hashes).tolist() == [0, 0, 1, 2]
