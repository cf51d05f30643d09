"""Masks that are stored as NumPy arrays, by people and by attackers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drawn_masks import (
    SETS,
    array_of,
    grey,
    project,
    read,
    saved,
)


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


HOSTILE = {
    "objects": (npy("{'descr': '|O', 'fortran_order': False, 'shape': (4, 4)}", b"cos\nsystem\n"), "no plain numbers"),
    "huge": (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (900000, 900000)}"), "megapixels"),
    "cut off": (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (900, 900)}"), "cut off"),
    "three dimensions": (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 4, 3)}", bytes(48)), "shape"),
    "negative": (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-4, -4)}", bytes(48)), "NumPy|shape"),
    "no header": (b"\x93NUMPY\x01\x00\xff\xff{'descr'", "NumPy"),
    "nested": (npy("(" * 100 + ")" * 10), "NumPy"),
    "version 9": (b"\x93NUMPY\x09\x00" + bytes(200), "NumPy"),
    "text": (b"hello", "NumPy"),
    "empty": (b"", "NumPy"),
    "records": (npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (4, 4)}", bytes(128)), "plain"),
    "rows of numbers": (npy("{'descr': '(1000,)<f8', 'fortran_order': False, 'shape': (4, 4)}"), "plain|NumPy"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_an_array_that_is_no_mask_is_skipped_with_the_reason(tmp_path: Path, what: str) -> None:
    content, reason = HOSTILE[what]
    project(tmp_path, array_of("uint8"))
    (tmp_path / "masks" / "p1.npy").write_bytes(content)
    folders, examples = read(tmp_path)
    assert len(examples.pictures) == SETS - 1
    assert [skip.file for skip in folders.skipped] == ["masks/p1.npy"]
    assert any(word in folders.skipped[0].reason for word in reason.split("|")), folders.skipped


def test_a_mask_that_no_longer_can_be_read_is_left_to_the_reading(tmp_path: Path) -> None:
    project(tmp_path, lambda mask, path, number: saved(grey(mask), path))
    (tmp_path / "masks" / "p1.png").write_bytes(b"")
    folders, examples = read(tmp_path)
    assert len(examples.pictures) == SETS - 1
    assert "empty" in folders.skipped[0].reason
