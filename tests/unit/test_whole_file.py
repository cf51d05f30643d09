"""A file that is written whole: what stands under its name is the old content or the new one, never a part."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conf.whole_file import whole_file


def test_the_name_leads_to_the_old_content_until_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with whole_file(target, mode=0o600) as file:
        file.write(b"new")
        file.flush()
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.json"]  # noqa: PTH208


def test_an_error_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")

    def write_half() -> None:
        with whole_file(target) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.json", "old")]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "a.json").symlink_to("elsewhere")
    folder = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with whole_file(Path("a.json"), folder, synced=False) as file:
            file.write(b"ours")
    finally:
        os.close(folder)
    assert not (tmp_path / "a.json").is_symlink()
    assert ((tmp_path / "a.json").read_text(), (tmp_path / "elsewhere").read_text()) == ("ours", "theirs")
