"""The folder of the Unix sockets: its owner's only, and never so deep that no socket can be bound in it."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.settings import SettingsError
from conf.socket_folder import MAX_SOCKET_NAME_BYTES, open_socket_folder, socket_folder


def mode_of(folder: Path) -> int:
    return stat.S_IMODE(folder.lstat().st_mode)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    run_dir = tmp_path / ("deep" * 30) / "run"
    yield run_dir
    folder = socket_folder(run_dir)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        folder.rmdir()


def test_the_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    folder = open_socket_folder(tmp_path / "run")
    assert folder == tmp_path / "run"
    assert mode_of(folder) == 0o700


def test_rights_that_are_too_wide_are_mended(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o755)
    assert mode_of(open_socket_folder(tmp_path / "run")) == 0o700


def test_a_deep_folder_still_has_room_for_sockets(deep: Path) -> None:
    folder = open_socket_folder(deep)
    assert folder == open_socket_folder(deep), "every program must find the same folder"
    assert folder != open_socket_folder(deep.parent.parent / "run")
    assert mode_of(folder) == 0o700
    path = folder / ("x" * MAX_SOCKET_NAME_BYTES)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))
        path.unlink()


def test_the_environment_does_not_move_the_folder(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = socket_folder(deep)
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/elsewhere")
    assert socket_folder(deep) == before


def test_a_link_that_was_put_there_is_refused(deep: Path, tmp_path: Path) -> None:
    (tmp_path / "trap").mkdir(mode=0o755)
    socket_folder(deep).symlink_to(tmp_path / "trap")
    with pytest.raises(SettingsError, match="cannot be used"):
        open_socket_folder(deep)
    assert mode_of(tmp_path / "trap") == 0o755


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    with pytest.raises(SettingsError, match="belongs to user id"):
        open_socket_folder(tmp_path / "run")
