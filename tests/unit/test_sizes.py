"""Sizes in sentences for people."""

from __future__ import annotations

import pytest

from protocol.sizes import size_in_words, whole_mb


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        *((0, "0 bytes"), (1, "1 byte"), (1023, "1,023 bytes"), (1024, "1 kB")),
        *((2**20 - 1, "1 MB"), (12.9 * 2**20, "12.9 MB"), (2**30 - 1, "1 GB"), (3 * 2**40, "3 TB")),
        *((2000 * 2**20, "1.95 GB"), (2 * 2**30, "2 GB"), (100 * 2**20, "100 MB"), (9.999 * 2**20, "10 MB")),
    ],
)
def test_a_size_has_the_unit_that_makes_it_short(size_bytes: float, text: str) -> None:
    assert size_in_words(size_bytes) == text


def test_what_falls_short_of_a_setting_does_not_read_as_if_it_reached_it() -> None:
    assert (whole_mb(2047.9), whole_mb(2048), whole_mb(-3.0)) == ("2,047 MB", "2,048 MB", "0 MB")
