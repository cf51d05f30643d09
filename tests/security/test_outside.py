"""The fuzzers' own eyes: a read and a change outside are seen, and looking away is not."""

from __future__ import annotations

import os
from pathlib import Path

from tests.security.outside import reads_of, snapshot


def test_a_read_and_a_listing_are_seen_and_a_mere_open_is_not(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "secret").write_text("x")
    with reads_of(tmp_path) as watch:
        os.close(os.open(tmp_path / "inner" / "secret", os.O_RDONLY))
        assert not watch.take()
        (tmp_path / "inner" / "secret").read_text()
        assert set(watch.take()) == {str(tmp_path / "inner" / "secret")}
        list((tmp_path / "inner").iterdir())
        assert str(tmp_path / "inner") in {path.rstrip("/") for path in watch.take()}


def test_a_snapshot_tells_contents_kinds_rights_and_link_targets(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a")
    (tmp_path / "link").symlink_to("file")
    before = snapshot(tmp_path)
    (tmp_path / "file").chmod(0o600)
    assert snapshot(tmp_path) != before
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("elsewhere")
    assert snapshot(tmp_path)["link"] != before["link"]
