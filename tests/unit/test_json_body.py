"""A JSON body becomes its type, or every bad field is named."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from web.answers.refusal import Refusal
from web.api.corrections import ChangeCorrections
from web.api.tasks import NewTask, RetryTask
from web.reading.json_body import read_json

GOOD = {"userId": "anna", "projectId": "flowers", "projectDir": "anna/flowers", "trainType": "classification"}
JSON = HTTPHeaders({"Content-Type": "application/json; charset=utf-8"})


def refused(body: bytes, headers: HTTPHeaders = JSON) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read_json(NewTask, headers, body)
    return caught.value


def test_a_body_gets_its_type() -> None:
    body = {**GOOD, "options": {"epochs": 3, "exports": ["onnx"]}, "metadata": {"plan": "pro"}}
    new = read_json(NewTask, JSON, msgspec.json.encode(body))
    assert (new.user_id, new.options, new.metadata) == ("anna", body["options"], {"plan": "pro"})


def test_no_body_is_an_empty_object() -> None:
    assert read_json(RetryTask, HTTPHeaders(), b"") == RetryTask()
    assert refused(b"", HTTPHeaders()).fields.keys() == GOOD.keys()


def test_every_bad_field_is_named() -> None:
    body = {"userId": 7, "projectId": "", "metadata": {"a b": "x"}, "colour": "red", "options": [1]}
    fields = refused(msgspec.json.encode(body)).fields
    assert fields.keys() == {"userId", "projectId", "projectDir", "trainType", "metadata", "colour", "options"}


@pytest.mark.parametrize("values", [21, 500])
def test_metadata_is_bounded(values: int) -> None:
    body = {**GOOD, "metadata": {f"m{number}": "x" for number in range(values)}}
    assert refused(msgspec.json.encode(body)).fields.keys() == {"metadata"}
    assert refused(msgspec.json.encode({**GOOD, "metadata": {"m": "x" * 501}})).fields.keys() == {"metadata"}
    assert refused(msgspec.json.encode({**GOOD, "metadata": {"m": "a\nb"}})).fields.keys() == {"metadata"}


@pytest.mark.parametrize(
    "body", [b"[]", b"7", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b'{"a": "M\xfcller"}']
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert refused(body).problem.code == "bad_fields"


def test_another_media_type_or_coding_is_refused() -> None:
    assert refused(b"a=b", HTTPHeaders({"Content-Type": "text/plain"})).problem.code == "unsupported_media_type"
    gzip = HTTPHeaders({"Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert refused(b"{}", gzip).problem.code == "unsupported_media_type"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "options", "metadata", "webhook", "x"]), _json))
def test_any_object_is_read_or_refused_with_a_sentence(body: dict[str, object]) -> None:
    try:
        new = read_json(NewTask, JSON, msgspec.json.encode(body))
    except Refusal as refusal:
        assert refusal.fields  # noqa: PT017
    else:
        assert new.user_id


def test_a_refusal_has_no_regular_expression_to_be_decoded() -> None:
    for bad in ({"metadata": {"a b": "x"}}, {"metadata": {"a": "\n"}}, {"metadata": {"a": "x" * 501}}):
        error = refused(msgspec.json.encode({**GOOD, **bad})).problem.error
        assert "regex" not in error
        assert "up to 20 texts" in error


@pytest.mark.parametrize(
    ("change", "place", "words"),
    [
        ({"picture": "a", "action": "Keep"}, "changes[1].action", "one of label, exclude, keep, none"),
        ({"picture": 7, "action": "keep"}, "changes[1].picture", "a text of at most 4096 characters"),
        ({"action": "keep"}, "changes[1]", "an object with picture, action, label"),
        ({"picture": "a", "action": "keep", "x": 1}, "changes[1]", "an object with picture, action, label"),
        ("a", "changes[1]", "an object with picture, action, label"),
    ],
)
def test_a_bad_part_of_a_list_is_named_with_what_it_takes(change: object, place: str, words: str) -> None:
    body = {"userId": "a", "projectId": "p", "projectDir": "d"}
    changes = [{"picture": "a", "action": "keep"}, change]
    with pytest.raises(Refusal) as caught:
        read_json(ChangeCorrections, JSON, msgspec.json.encode({**body, "changes": changes}))
    assert caught.value.fields.keys() == {place}
    assert caught.value.fields[place].startswith(f"{place}=")
    assert words in caught.value.fields[place]
    assert "$" not in caught.value.fields[place]
