"""A zip that is made while it is sent."""

from __future__ import annotations

import datetime
import io
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest

from protocol.project_layout import MODELS
from protocol.task import TaskSpec
from tests.sample_tasks import hex_id, make_spec
from web.files import model_zip
from web.files.model_zip import Member, size_of_zip, zip_parts
from web.files.open_file import PART_BYTES, OpenFile, Place
from web.folders.local_folders import open_file

AT = datetime.datetime(2026, 11, 29, 20, 0, 0, tzinfo=datetime.UTC)
FILES = {"model.tflite": b"x" * (3 * PART_BYTES + 5), "labels.txt": b"", "saved_model/saved_model.pb": b"graph"}


@pytest.fixture
def spec(tmp_path: Path) -> TaskSpec:
    task_id = hex_id("t1")
    for name, content in FILES.items():
        path = tmp_path / "flowers" / MODELS / task_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return make_spec(task_id, project_path=str(tmp_path / "flowers"))


class Lent(NamedTuple):
    spec: TaskSpec
    root: Path
    place: Place

    def open(self) -> OpenFile:
        return open_file(self.spec, [self.root], self.place)


def members(spec: TaskSpec, root: Path) -> list[Member]:
    found = []
    for name, content in FILES.items():
        *folders, last = name.split("/")
        place = Place((MODELS, spec.task_id, *folders), last, 10**9)
        lent = Lent(spec, root, place)
        opened = lent.open()
        opened.file.close()
        found.append(Member(name, lent, opened.content, zlib.crc32(content)))
    return found


@pytest.mark.parametrize("most_plain_bytes", [model_zip.MOST_PLAIN_BYTES, 1000])
def test_it_has_the_size_that_was_told_and_can_be_read_from_a_stream(
    spec: TaskSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_plain_bytes: int
) -> None:
    """In the form of small zips and in that of large ones."""
    monkeypatch.setattr(model_zip, "MOST_PLAIN_BYTES", most_plain_bytes)
    listed = members(spec, tmp_path)
    parts = list(zip_parts(listed, AT))
    content = b"".join(parts)
    assert max(map(len, parts)) <= PART_BYTES
    assert len(content) == size_of_zip(listed)
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert {name: packed.read(name) for name in packed.namelist()} == FILES
        for info in packed.infolist():
            assert not info.flag_bits & 0x08, "the size stands behind the file, which programs that read streams refuse"
            assert info.date_time == (2026, 11, 29, 20, 0, 0)


@pytest.mark.parametrize("change", [b"y" * len(FILES["model.tflite"]), b"short"])
def test_a_file_that_has_changed_ends_it(spec: TaskSpec, tmp_path: Path, change: bytes) -> None:
    listed = members(spec, tmp_path)
    (tmp_path / "flowers" / MODELS / spec.task_id / "model.tflite").write_bytes(change)
    with pytest.raises(OSError, match="changed"):
        list(zip_parts(listed, AT))
