"""Which part of a file a caller gets, held against Python's own slices."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.files.byte_range import Span, UnsatisfiableError, is_known, requested_span


def sent(header: str, content: bytes) -> bytes | None:
    """What is sent; None for a refusal."""
    try:
        span = requested_span(header, len(content)) or Span(0, len(content))
    except UnsatisfiableError:
        return None
    return content[span.begin : span.end]


@pytest.mark.parametrize("size_bytes", range(6))
def test_every_range_of_a_small_file_is_a_slice(size_bytes: int) -> None:
    content = bytes(range(size_bytes))
    for first, last in itertools.product(range(8), range(8)):
        wanted = content[first : last + 1] if last >= first else content
        assert sent(f"bytes={first}-{last}", content) == (None if first <= last and first >= size_bytes else wanted)
        assert sent(f"bytes={first}-", content) == (content[first:] or None)
        assert sent(f"bytes=-{last}", content) == (content[-last:] if last else None)


@given(st.text(max_size=30) | st.from_regex(r"\A ?[bB]ytes ?= ?[0-9]{0,20} ?- ?[0-9]{0,20}( ?, ?[0-9]-)?\Z"))
def test_no_header_gives_anything_but_a_part_of_the_file(header: str) -> None:
    content = bytes(range(10))
    part = sent(header, content)
    assert part is None or (part and part in content)


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-2,4-5", "items=0-1", "bytes=٣-٤"]
)
def test_a_header_of_another_form_gets_the_whole(header: str) -> None:
    assert requested_span(header, 10) is None


@pytest.mark.parametrize(
    ("header", "known"),
    [
        *(('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), (" * ", True)),
        *(("", False), ('"b"', False), ("a", False), ('"A"', False), ('"a', False)),
    ],
)
def test_a_caller_that_has_the_file_is_known(header: str, known: bool) -> None:
    assert is_known(header, '"a"') is known
