"""A short share of `python -m tests.chaos.flipped_bits`: a flipped bit is found and said, and never used."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.chaos.flipped_bits.flipping import Kind, flip_bits
from tests.chaos.flipped_bits.kinds import KINDS

FLIPS = 15


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_flipped_bit_is_never_used_in_silence(kind: Kind) -> None:
    account = flip_bits(kind, FLIPS)
    assert (account.silent, account.broke, account.shown) == (0, 0, [])
    assert account.found > 0


def test_a_kind_that_nothing_checks_is_seen() -> None:
    """Else the test above would find nothing."""

    def make(folder: Path) -> list[Path]:
        (folder / "file").write_bytes(bytes(1000))
        return [folder / "file"]

    def read(folder: Path) -> list[str]:
        return [hashlib.sha256((folder / "file").read_bytes()).hexdigest()]

    assert flip_bits(Kind("file", "nothing", make, read), FLIPS).silent == FLIPS
