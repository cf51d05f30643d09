"""A POST's body: the same fields from a form, a multipart form and JSON, and a sentence for everything else."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from web.answers.refusal import Refusal
from web.reading.form import FORM_TYPE, JSON_TYPE, MAX_FORM_FIELDS, SentFile, read_files, read_form

FIELDS = {"userId": ["anna"], "projectDir": ["Blümen & Co/=?"]}


def read(content_type: str, body: bytes, **more: str) -> dict[str, list[str]]:
    return read_form(HTTPHeaders({"Content-Type": content_type, **more}), body)


def refusal_of(content_type: str, body: bytes, **more: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(content_type, body, **more)
    assert len(str(caught.value)) > 20
    return caught.value


def part(name: str, value: str, more: str = "") -> bytes:
    return f'--xyz\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'.encode()


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xyz--\r\n"


MULTIPART = "multipart/form-data; boundary=xyz"


def test_the_three_kinds_of_body_say_the_same() -> None:
    form = b"userId=anna&projectDir=Bl%C3%BCmen+%26+Co%2F%3D%3F"
    assert read(FORM_TYPE, form) == FIELDS
    assert read("Application/X-WWW-Form-Urlencoded; charset=UTF-8", form) == FIELDS
    parts = multipart(*(part(name, values[0]) for name, values in FIELDS.items()))
    assert read(MULTIPART, parts) == FIELDS
    assert read('Multipart/Form-Data; charset=utf-8; boundary="xyz"', parts) == FIELDS
    as_json = json.dumps({name: values[0] for name, values in FIELDS.items()}).encode()
    assert read(JSON_TYPE, as_json) == FIELDS
    assert read("application/json; charset=utf-8", as_json) == FIELDS


def test_a_field_that_comes_twice_is_seen_twice() -> None:
    twice = {"userId": ["anna", "bert"]}
    assert read(FORM_TYPE, b"userId=anna&userId=bert") == twice
    assert read(MULTIPART, multipart(part("userId", "anna"), part("userId", "bert"))) == twice
    assert read(JSON_TYPE, b'{"userId": "anna", "userId": "bert"}') == twice


def test_json_values_become_what_a_form_would_hold() -> None:
    body = b'{"a": 7, "b": 0.25, "c": true, "d": false, "e": ["x", "y"], "f": null, "g": "", "h": 1e3, "i": []}'
    values = {name: value for name, (value,) in read(JSON_TYPE, body).items()}
    expected = {"a": "7", "b": "0.25", "c": "true", "d": "false", "e": "x,y", "f": "", "g": "", "h": "1e3", "i": ""}
    assert values == expected


@pytest.mark.parametrize("value", ['{"x": 1}', "[[1]]", "[1]", '["a", {}]', "[null]", '{"x": {"y": {}}}'])
def test_nested_json_is_refused_with_its_field_named(value: str) -> None:
    refusal = refusal_of(JSON_TYPE, f'{{"userId": "anna", "epochs": {value}}}'.encode())
    assert refusal.fields.keys() == {"epochs"}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"null", b"[]", b'"text"', b"7", b"{", b"{]", b'{"a": }', b"\xef\xbb\xbf{}", b'{"a": "\xff"}', b"\x00"),
        *(b'{"a": ' * 20_000, b"[" * 60_000, b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
        *('{"a": 1}'.encode("utf-16"), json.dumps(dict.fromkeys(map(str, range(MAX_FORM_FIELDS + 1)), 1)).encode()),
    ],
    ids=range(16),
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    assert refusal_of(JSON_TYPE, body).status_code == 400


def test_a_number_of_any_length_is_text_until_an_option_reads_it() -> None:
    assert read(JSON_TYPE, b'{"a": ' + b"9" * 60_000 + b"}")["a"] == ["9" * 60_000]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", multipart(part("userId", "anna"))),
        ("multipart/form-data; boundary=", multipart(part("userId", "anna"))),
        ("multipart/form-data; boundary=other", multipart(part("userId", "anna"))),
        (MULTIPART, b""),
        (MULTIPART, part("userId", "anna")),
        (MULTIPART, multipart(b"--xyz\r\nContent-Disposition: form-data; name=userId\r\nanna\r\n")),
        (MULTIPART, multipart(b"--xyz\r\n\r\nanna\r\n")),
        (MULTIPART, multipart(part("", "anna"))),
        (MULTIPART, multipart(*(part(f"f{number}", "x") for number in range(MAX_FORM_FIELDS + 1)))),
        (MULTIPART, multipart(part("userId", "anna", "; x=" + "y" * 5000))),
        (MULTIPART, multipart(b"--xyz\r\nContent-Disposition: form-data; name=\xff\xfe\r\n\r\nanna\r\n")),
        ('multipart/form-data; boundary="xyz', multipart(part("userId", "anna"))),
    ],
)
def test_a_multipart_body_that_is_none_is_refused(content_type: str, body: bytes) -> None:
    assert refusal_of(content_type, body).status_code == 400


def test_a_file_is_refused_with_a_sentence() -> None:
    body = multipart(part("userId", "anna"), part("photo", "\x89PNG", '; filename="a.png"'))
    refusal = refusal_of(MULTIPART, body)
    assert refusal.fields.keys() == {"photo"}
    assert "projectDir" in str(refusal)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonx", "multipart/mixed; boundary=x", "/"])
def test_other_kinds_of_body_are_refused(content_type: str) -> None:
    assert refusal_of(content_type, b"a=b").status_code == 415


def test_a_compressed_body_is_refused() -> None:
    assert refusal_of(FORM_TYPE, b"\x1f\x8b", **{"Content-Encoding": "gzip"}).status_code == 415
    assert read(FORM_TYPE, b"a=b", **{"Content-Encoding": "identity"}) == {"a": ["b"]}


@given(
    st.sampled_from([FORM_TYPE, MULTIPART, JSON_TYPE, "multipart/form-data; boundary=;;"]),
    st.binary(max_size=200) | st.binary(max_size=60).map(lambda value: multipart(part("a", "b"), value)),
)
def test_any_bytes_give_fields_or_a_refusal(content_type: str, body: bytes) -> None:
    try:
        fields = read(content_type, body)
    except Refusal:
        return
    assert all(isinstance(value, str) for values in fields.values() for value in values)


def files_of(*parts: bytes, most: int = 3) -> list[SentFile]:
    return read_files(HTTPHeaders({"Content-Type": MULTIPART}), multipart(*parts), "picture", most)


def test_files_of_one_field_are_read_in_their_order() -> None:
    names = ("ä.jpg", "../b.png", "c")
    parts = [part("picture", f"content {number}", f'; filename="{name}"') for number, name in enumerate(names)]

    assert files_of(*parts) == [SentFile(name, f"content {number}".encode()) for number, name in enumerate(names)]
    assert files_of() == []
    strange = b"--xyz\r\nContent-Disposition: form-data; name=\"picture\"; filename*=UTF-8''%ff\r\n\r\nx\r\n"
    assert files_of(strange) == [SentFile("\ufffd", b"x")]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([part("picture", "text")], "as a file"),
        ([part("photo", "x", '; filename="a.jpg"')], "photo"),
        ([part("picture", "x", '; filename="a.jpg"'), part("userId", "anna")], "userId"),
        ([part("picture", "x", '; filename="a.jpg"')] * 4, "at most 3"),
        ([b'--xyz\r\nContent-Disposition: form-data; name="picture"; filename="\xff"\r\n\r\nx\r\n'], "UTF-8"),
    ],
)
def test_what_is_not_files_of_one_field_is_refused(parts: list[bytes], words: str) -> None:
    with pytest.raises(Refusal) as caught:
        files_of(*parts)

    assert caught.value.problem.code == "bad_fields"
    assert words in caught.value.problem.error


@given(st.binary(max_size=400))
def test_any_bytes_give_files_or_a_refusal(body: bytes) -> None:
    with contextlib.suppress(Refusal):
        assert len(read_files(HTTPHeaders({"Content-Type": MULTIPART}), body, "picture", 3)) <= 3
