"""The client's reader of server-sent events, held to the examples and rules of the HTML standard, section 9.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmodel_client import sse
from tfmodel_client.sse import EventStreamParser, EventTooLongError, SentEvent


def read(*pieces: bytes, last_event_id: str = "") -> list[tuple[str, str]]:
    """Name and data of the events of one stream."""
    parser = EventStreamParser(last_event_id)
    return [(event.name, event.data) for piece in pieces for event in parser.feed(piece)]


def test_lines_of_data_are_joined_and_names_are_taken() -> None:
    assert read(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [("message", "YHOO\n+2\n10")]
    assert read(b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n") == [
        ("add", "73857293"),
        ("remove", "2153"),
    ]


def test_the_example_with_a_comment_and_ids() -> None:
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"
    parser = EventStreamParser()
    assert parser.feed(stream) == [
        SentEvent("message", "first event", "1"),
        SentEvent("message", "second event", ""),  # An id without a value forgets the id before.
        SentEvent("message", " third event", ""),  # Only one space belongs to the colon.
    ]


def test_the_example_with_empty_data() -> None:
    # The last block is not ended by an empty line, so it is no event.
    assert read(b"data\n\ndata\ndata\n\ndata:") == [("message", ""), ("message", "\n")]


def test_a_space_behind_the_colon_does_not_matter() -> None:
    assert read(b"data:test\n\ndata: test\n\n") == [("message", "test")] * 2


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_every_line_end_is_one(end: bytes) -> None:
    stream = end.join([b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert read(stream) == [
        ("message", "a\nb"),
        ("message", "c"),
    ]


def test_an_event_whose_lines_end_with_a_carriage_return_is_not_held_back() -> None:
    assert read(b"data: now\r\r") == [("message", "now")]
    assert read(b"data: a\r", b"\ndata: b\r\n", b"\r", b"\n") == [("message", "a\nb")]


def test_a_byte_order_mark_is_left_out_at_the_start_alone() -> None:
    assert read("\ufeffdata: a\n\ndata: \ufeffb\n\n".encode()) == [("message", "a"), ("message", "\ufeffb")]


def test_the_id_holds_until_another_comes_and_counts_only_with_a_whole_event() -> None:
    parser = EventStreamParser("7")
    parser.feed(b"data: without\n\n")
    assert parser.last_event_id == "7"
    parser.feed(b"id: 8\ndata: wi")
    assert parser.last_event_id == "7"  # The event is cut off: it must come again after a reconnection.
    parser.feed(b"th\n\n")
    assert parser.last_event_id == "8"
    parser.feed(b"id: 9\n\n")
    assert parser.last_event_id == "9"  # A block without data is no event, but its id counts.
    parser.feed(b"id: 1\x000\ndata: x\n\n")
    assert parser.last_event_id == "9"


def test_retry_takes_digits_alone() -> None:
    parser = EventStreamParser()
    parser.feed("retry: soon\nretry: 1.5\nretry: -1\nretry: ١\nretry:\n\n".encode())
    assert parser.retry_ms is None
    parser.feed(b"retry: 250\n\n")
    assert parser.retry_ms == 250


def test_unknown_fields_and_bytes_that_are_no_text_do_no_harm() -> None:
    assert read(b"nonsense: 1\nDATA: x\n:\ndata: \xff\n\n") == [("message", "\ufffd")]


def test_an_event_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_CHARS", 1000)
    endless = EventStreamParser()
    lines = (endless.feed(b"data: 0123456789\n") for _ in range(1000))
    with pytest.raises(EventTooLongError):
        list(lines)
    patient = EventStreamParser()
    for _ in range(1000):
        assert len(patient.feed(b"data: 0123456789\n\n")) == 1
        assert patient.feed(b": a comment\n\n") == []


#: Few different bytes, so that line ends, fields and characters of several bytes come often.
BYTES = b"data: id\r\n\n\xc3\xa9\xef\xbb\xbf"


@given(st.lists(st.sampled_from(list(BYTES)), max_size=200).map(bytes), st.lists(st.integers(0, 200), max_size=8))
def test_where_the_pieces_are_cut_does_not_matter(stream: bytes, cuts: list[int]) -> None:
    places = sorted(min(cut, len(stream)) for cut in cuts)
    pieces = [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]
    assert read(*pieces) == read(stream)
