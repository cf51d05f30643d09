"""The record of a copy survives a torn line, and notices files that were changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.object_store import ObjectInfo
from trainer_worker.checkouts.record import Record

INFO = ObjectInfo("a.jpg", 1, '"tag"', 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    made.mkdir()
    (made / "a.jpg").write_bytes(b"1")
    (made / "b.jpg").write_bytes(b"2")
    return made


def test_what_was_added_is_known_to_the_next_process(tmp_path: Path, folder: Path) -> None:
    record = Record(tmp_path / "objects.jsonl", folder)
    record.add("a.jpg", INFO, whole=True)
    record.add("b.jpg", INFO, whole=False)
    with open(tmp_path / "objects.jsonl", "ab") as torn:
        torn.write(b'["c.jpg", "c.')
    again = Record(tmp_path / "objects.jsonl", folder)
    assert again.has("a.jpg", INFO, whole=True)
    assert again.has("b.jpg", INFO, whole=False)
    assert not again.has("b.jpg", INFO, whole=True)
    assert not again.has("c.jpg", INFO, whole=False)
    assert not again.has("a.jpg", ObjectInfo("a.jpg", 1, '"another"', 1.0), whole=True)


def test_a_changed_or_missing_file_is_not_had(tmp_path: Path, folder: Path) -> None:
    record = Record(tmp_path / "objects.jsonl", folder)
    for name in ("a.jpg", "b.jpg"):
        record.add(name, INFO, whole=True)
    (folder / "a.jpg").write_bytes(b"12")
    (folder / "b.jpg").unlink()
    assert not record.has("a.jpg", INFO, whole=True)
    assert not record.has("b.jpg", INFO, whole=True)


def test_only_what_is_wanted_is_kept(tmp_path: Path, folder: Path) -> None:
    record = Record(tmp_path / "objects.jsonl", folder)
    for name in ("a.jpg", "b.jpg"):
        record.add(name, INFO, whole=True)
    record.keep_only({"b.jpg"})
    record.add("b.jpg", INFO, whole=True)
    assert Record(tmp_path / "objects.jsonl", folder).paths() == ["b.jpg"]


def test_a_record_of_garbage_has_nothing(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "objects.jsonl").write_bytes(b'\xff\n[1]\n"x"\n')
    assert Record(tmp_path / "objects.jsonl", folder).paths() == []
