"""A settings file that is no UTF-8 text is named, like any other bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.settings import SettingsError, load


@pytest.mark.parametrize("content", [b"# caf\xe9\n", b"[web\n"])
def test_an_unreadable_settings_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"Cannot read the settings file .*mine\.toml"):
        load({"TFMODEL_SETTINGS": str(file)})
