"""What uploads are called, how much may be on its way, and file systems that lack something."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conf.directory import Directory
from conf.settings import Settings, load
from protocol.picture_kinds import starts_as_picture
from web.answers.refusal import Refusal
from web.api.uploads import NewUpload, UploadLimits
from web.door.token_gate import ANYBODY
from web.folders.object_stores import ObjectStores
from web.uploads import upload_desk
from web.uploads.service import Uploads
from web.uploads.upload_desk import UploadDesk
from web.uploads.upload_folders import UploadFolders
from web.uploads.upload_names import MOST_BYTES, MOST_CHARS, BadNameError, numbered, part_of_id, part_of_path
from web.uploads.upload_requests import names_of
from web.uploads.upload_store import Upload, UploadStore

MB = 1024**2
LIMITS = UploadLimits(enabled=True, max_picture_bytes=MB, max_pictures=100, max_project_bytes=100 * MB)
PICTURE = b"\xff\xd8\xff" + bytes(100)


class Disk:
    free_mb = 1000.0


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def desk(tmp_path: Path, disk: Disk) -> Iterator[UploadDesk]:
    (tmp_path / "root").mkdir()
    folders = UploadFolders(tmp_path / "root")
    made = UploadDesk(UploadStore(tmp_path / "var" / "uploads.sqlite3"), folders, LIMITS, lambda: disk.free_mb, 500)
    yield made
    made.close()


def uploads_of(settings: Settings) -> Uploads:
    return Uploads(settings, ObjectStores([], settings.storage))


def begin(desk: UploadDesk, size_bytes: int = len(PICTURE), **changes: Any) -> str:
    fields = {"user_id": "anna", "project_id": "p", "label": "roses", "name": "1.jpg", **changes}
    new = NewUpload(size_bytes=size_bytes, **fields)
    return desk.begin(new, names_of(new)).upload_id


def code_of(refusal: pytest.ExceptionInfo[Refusal]) -> str:
    return refusal.value.problem.code


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "a ", "..", ".", ".tfmodel", "models", "@eaDir", "__MACOSX", "a/b", "a\\b", "a\0", "a\nb"),
        *("roses\u200b", "\ufeffroses", "\u061croses", "roses\u2028", "corrections.csv"),
        *("\ud800", "\ufffd", "\u202egpj.exe", "a" * (MOST_CHARS + 1), "\U0001f339" * 64, "e\u0301" * (MOST_CHARS + 1)),
    ],
)
def test_a_text_that_is_no_single_part_of_a_path_is_refused(text: str) -> None:
    with pytest.raises(BadNameError, match="send "):
        part_of_path(text)


def test_names_have_one_form_and_ids_never_share_a_folder() -> None:
    assert part_of_path("e\u0301te\u0301") == "été"
    assert part_of_path("Rosa × centifolia (pink), #2") == "Rosa × centifolia (pink), #2"
    assert part_of_id("été") == "été"
    with pytest.raises(BadNameError):
        part_of_id("e\u0301te\u0301")


@pytest.mark.parametrize("name", ["rose.jpg", "a" * 96 + ".jpg", "\U0001f339" * 60 + ".jpeg"])
def test_a_numbered_name_is_a_name(name: str) -> None:
    other = numbered(part_of_path(name), 12)

    assert other != name
    assert other.endswith("-12" + name[name.rindex(".") :])
    assert part_of_path(other) == other
    assert len(other.encode()) <= MOST_BYTES


@pytest.mark.parametrize(
    ("start", "is_picture"),
    [
        *((b"\xff\xd8\xff\xe0", True), (b"\x89PNG\r\n\x1a\n", True), (b"GIF89a", True), (b"II*\0", True)),
        *((b"RIFF\0\0\0\0WEBPVP8 ", True), (b"RIFF\0\0\0\0AVI LIST", False), (b"BM", True)),
        *((b"\0\0\0\x20ftypavif\0\0\0\0", True), (b"\0\0\0\x20ftypheic\0\0\0\0mif1heic", False)),
        *((b"<svg", False), (b"%PDF-1.7", False), (b"PK\3\4", False), (b"", False)),
    ],
)
def test_pictures_are_told_by_their_first_bytes(start: bytes, is_picture: bool) -> None:
    assert starts_as_picture(start) is is_picture


def test_what_is_on_its_way_is_reserved_on_the_disk(desk: UploadDesk, disk: Disk) -> None:
    disk.free_mb = 501.5
    begin(desk, MB)
    with pytest.raises(Refusal) as refusal:
        begin(desk, MB, project_id="other")
    assert code_of(refusal) == "disk_nearly_full"
    assert "only 499 MB would be free" in refusal.value.problem.error
    assert "500 MB are needed" in refusal.value.problem.error
    disk.free_mb = 502.5
    begin(desk, MB, project_id="other")


def test_a_server_may_take_no_uploads_and_says_when_it_can_not(tmp_path: Path) -> None:
    environ = {"TFMODEL_HOME": str(tmp_path), "TFMODEL_WEB_DATA_ROOTS": str(tmp_path / "missing")}
    new = NewUpload(user_id="anna", project_id="p", label="roses", name="1.jpg", size_bytes=10)

    async def refused(uploads: Uploads) -> str:
        try:
            with pytest.raises(Refusal) as refusal:
                await uploads.call(UploadDesk.begin, new, names_of(new))
            return code_of(refusal)
        finally:
            uploads.close()

    assert asyncio.run(refused(uploads_of(load({**environ, "TFMODEL_WEB_UPLOADS": "false"})))) == "uploads_off"
    assert asyncio.run(refused(uploads_of(load(environ)))) == "uploads_unavailable"
    (tmp_path / "missing").mkdir()
    (tmp_path / "damaged" / "var").mkdir(parents=True)
    (tmp_path / "damaged" / "var" / "uploads.sqlite3").write_bytes(b"no database" * 100)
    damaged = uploads_of(load({**environ, "TFMODEL_HOME": str(tmp_path / "damaged")}))
    assert asyncio.run(refused(damaged)) == "uploads_unavailable"


def test_silent_uploads_give_way_and_busy_ones_do_not(desk: UploadDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_desk, "MOST_OPEN", 2)
    monkeypatch.setattr(upload_desk, "MOST_OPEN_OF_ALL", 3)
    first = begin(desk)
    begin(desk)
    with pytest.raises(Refusal) as refusal:
        begin(desk)
    assert code_of(refusal) == "uploads_busy"
    begin(desk, project_id="q")
    with pytest.raises(Refusal) as refusal:
        begin(desk, project_id="r")
    assert code_of(refusal) == "uploads_busy"
    monkeypatch.setattr(upload_desk, "GIVES_WAY_AFTER_S", 0.0)
    begin(desk)
    with pytest.raises(Refusal) as refusal:
        desk.look(first, ANYBODY)
    assert code_of(refusal) == "unknown_upload"


def test_an_upload_whose_last_answer_was_lost_is_not_stored_twice(desk: UploadDesk, tmp_path: Path) -> None:
    """The process may have ended after the picture had its name and before that was noted."""
    upload_id = begin(desk)
    (part,) = (tmp_path / "root" / "uploads" / ".incoming").glob(f"{upload_id}.*")
    part.write_bytes(PICTURE)
    stored = tmp_path / "root" / "uploads" / "anna" / "p" / "roses"
    stored.mkdir(parents=True)
    os.link(part, stored / "1.jpg")

    view = desk.look(upload_id, ANYBODY)

    assert (view.state, view.picture) == ("stored", "roses/1.jpg")
    assert [path.name for path in stored.iterdir()] == ["1.jpg"]


def test_a_file_system_without_second_names_takes_copies(
    desk: UploadDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    monkeypatch.setattr(Directory, "link_into", no_links)
    for number, other in enumerate((PICTURE, PICTURE[::-1].replace(b"\xff\xd8\xff", b"") + bytes(3))):
        content = PICTURE[:3] + hashlib.sha256(other).digest()
        upload_id = begin(desk, len(content))
        view = desk.append(upload_id, ANYBODY, 0, content)
        assert view.picture == ("roses/1.jpg", "roses/1-2.jpg")[number]
        assert (Path(view.project_dir) / view.picture).read_bytes() == content


def test_no_half_picture_stays_if_the_disk_is_full_in_the_middle_of_a_copy(
    desk: UploadDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    def full(_: object, copy: Any, __: int) -> None:
        copy.write(PICTURE[:50])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Directory, "link_into", no_links)
    upload_id = begin(desk)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfileobj", full)
        with pytest.raises(OSError, match="No space"):
            desk.append(upload_id, ANYBODY, 0, PICTURE)
    assert not list((tmp_path / "root" / "uploads" / "anna" / "p" / "roses").iterdir())
    assert desk.look(upload_id, ANYBODY).picture == "roses/1.jpg"


def test_the_names_of_new_folders_are_on_the_disk_before_a_picture_is_stored(
    desk: UploadDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id, synced = begin(desk), list[str]()
    plain = Directory.sync

    def noted(folder: Directory) -> None:
        synced.append(os.path.realpath(f"/proc/self/fd/{folder.fileno()}"))
        plain(folder)

    monkeypatch.setattr(Directory, "sync", noted)
    assert desk.append(upload_id, ANYBODY, 0, PICTURE).state == "stored"
    uploads = tmp_path / "root" / "uploads"
    folders = (uploads, uploads / "anna", uploads / "anna" / "p", uploads / "anna" / "p" / "roses")
    assert synced == [str(folder.resolve()) for folder in folders]


def test_counting_what_lies_in_a_project_ends_at_a_limit(tmp_path: Path) -> None:
    folder = tmp_path / "uploads" / "anna" / "p"
    for label in ("a", "b", "c"):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            (folder / label / f"{number}.jpg").write_bytes(PICTURE)

    found = UploadFolders(tmp_path).count("anna", "p", most=4)
    assert {label: each.pictures for label, each in found.items()} == {"a": 3, "b": 1}
    assert UploadFolders(tmp_path).count("anna", "p")["c"].size_bytes == 3 * len(PICTURE)


def test_what_does_not_fit_on_the_disk_leaves_the_offset_as_it_was(
    desk: UploadDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = begin(desk)
    desk.append(upload_id, ANYBODY, 0, PICTURE[:50])

    class FullFile:
        def __init__(self, file: Any) -> None:
            self._file = file

        def __enter__(self) -> FullFile:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

        def write(self, part: Any) -> int:
            if len(part) <= 20:
                raise OSError(errno.ENOSPC, "No space left on device")
            return int(self._file.write(part[:-20]))

    plain = Directory.append_to
    with monkeypatch.context() as patched:
        patched.setattr(Directory, "append_to", lambda folder, name: FullFile(plain(folder, name)))
        with pytest.raises(OSError, match="No space"):
            desk.append(upload_id, ANYBODY, 50, PICTURE[50:])
    assert desk.look(upload_id, ANYBODY).offset == 50
    assert desk.append(upload_id, ANYBODY, 50, PICTURE[50:]).state == "stored"


def test_one_user_does_not_keep_the_others_out(desk: UploadDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_desk, "MOST_OPEN_OF_USER", 3)
    for number in range(3):
        begin(desk, project_id=str(number))
    with pytest.raises(Refusal) as refusal:
        begin(desk, project_id="one more")
    assert code_of(refusal) == "uploads_busy"
    begin(desk, user_id="ben")


def test_a_clock_that_was_set_back_keeps_nobody_out(desk: UploadDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads that were begun in the future, as it was thought then, give way like other silent ones."""
    monkeypatch.setattr(upload_desk, "MOST_OPEN", 2)
    now_s = time.time()
    with monkeypatch.context() as ahead:
        ahead.setattr(time, "time", lambda: now_s + 10 * 365 * 86400)
        first = begin(desk, project_id="old")
        begin(desk)
        begin(desk)
    begin(desk)
    with pytest.raises(Refusal) as refusal:
        desk.look(first, ANYBODY)
    assert code_of(refusal) == "unknown_upload"


def test_a_full_project_is_looked_through_once_in_a_while(desk: UploadDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With thousands of pictures it takes so long that all other uploads would wait for it."""
    looked: list[str] = []
    plain = UploadFolders.has

    def has(folders: UploadFolders, upload: Upload) -> bool:
        looked.append(upload.name)
        return plain(folders, upload)

    monkeypatch.setattr(UploadFolders, "has", has)
    full = LIMITS.max_pictures
    for number in range(full):
        desk._store.save(stored_one(number))
    for number in range(2):
        begin(desk, name=f"{number}.jpg")  # All were removed from the folder, so there is room again.
    assert len(looked) == full
    for number in range(full):
        desk._store.save(stored_one(number))
    for _ in range(3):
        with pytest.raises(Refusal) as refusal:
            begin(desk)
        assert code_of(refusal) == "project_full"
    assert len(looked) == full


def stored_one(number: int) -> Upload:
    """A picture that was stored, and removed from its folder by somebody."""
    names = {"user_id": "anna", "project_id": "p", "label": "roses", "name": f"{number}.jpg"}
    return Upload(
        upload_id=f"{number:032}",
        size_bytes=1,
        sha256=f"{number:064}",
        state="stored",
        picture="roses/gone.jpg",
        touched_at_s=0,
        **names,
    )


def test_half_a_copy_is_no_picture(desk: UploadDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full while a picture is copied, on a file system that has no second names."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links")

    def half(source: Any, copy: Any, _: int) -> None:
        copy.write(source.read(20))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Directory, "link_into", no_links)
    upload_id = begin(desk)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copyfileobj", half)
        with pytest.raises(OSError, match="No space"):
            desk.append(upload_id, ANYBODY, 0, PICTURE)
    view = desk.look(upload_id, ANYBODY)
    assert (view.state, view.picture) == ("stored", "roses/1.jpg")


def test_a_folder_whose_name_is_not_text_is_no_class(desk: UploadDesk, tmp_path: Path) -> None:
    desk.append(begin(desk), ANYBODY, 0, PICTURE)
    os.mkdir(os.fsencode(tmp_path / "root" / "uploads" / "anna" / "p") + b"/\xff")  # noqa: PTH102 - bytes
    assert [each.label for each in desk.overview("anna", "p").labels] == ["roses"]
