"""A query of a URL becomes its type, or every bad field is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.task import TaskState
from web.answers.refusal import Refusal
from web.api.files import LogQuery
from web.api.live import EventsQuery
from web.api.tasks import TaskListQuery
from web.reading.query import NoQuery, read_query


def refused(arguments: dict[str, list[bytes]], kind: type = TaskListQuery) -> dict[str, str]:
    with pytest.raises(Refusal) as caught:
        read_query(kind, arguments)
    assert caught.value.problem.code == "bad_fields"
    fields: dict[str, str] = caught.value.fields
    assert all(sentence in caught.value.problem.error for sentence in fields.values())
    return fields


def test_no_query_means_the_defaults() -> None:
    assert read_query(TaskListQuery, {}) == TaskListQuery()
    assert read_query(TaskListQuery, {"userId": [b""], "limit": [b""]}) == TaskListQuery()


def test_values_get_their_types_and_a_list_may_repeat_or_have_commas() -> None:
    query = read_query(
        TaskListQuery,
        {
            "userId": ["Jörg".encode()],
            "state": [b"done, failed", b"pending"],
            "limit": [b"7"],
            "metadata[plan]": [b"pro"],
            "metadata[team.a]": [b"x"],
        },
    )
    assert query == TaskListQuery(
        user_id="Jörg",
        state=(TaskState.DONE, TaskState.FAILED, TaskState.PENDING),
        limit=7,
        metadata={"plan": "pro", "team.a": "x"},
    )


def test_every_bad_field_is_named_with_what_is_allowed() -> None:
    fields = refused({"limit": [b"many"], "state": [b"late"], "colour": [b"red"], "sort": [b"size"]})
    assert fields.keys() == {"limit", "state", "colour", "sort"}
    assert "a whole number from 0 to 200" in fields["limit"]
    assert "pending, processing, done, failed, cancelled" in fields["state"]
    assert "-submittedAt" in fields["sort"]
    assert "userId" in fields["colour"]


@pytest.mark.parametrize(
    ("kind", "name", "allowed"),
    [
        (EventsQuery, "since", "it takes a whole number from 0"),
        (EventsQuery, "wait", "it takes a number from 0 to 60"),
        (LogQuery, "follow", "it takes true or false"),
    ],
)
def test_a_field_that_may_be_left_out_says_what_it_takes_as_well(kind: type, name: str, allowed: str) -> None:
    assert allowed in refused({name: [b"many"]}, kind)[name]


@pytest.mark.parametrize("limit", [b"-1", b"201", b"1.5", b"nan"])
def test_a_number_must_be_within_its_bounds(limit: bytes) -> None:
    assert refused({"limit": [limit]}).keys() == {"limit"}


def test_a_field_that_came_twice_is_refused_instead_of_choosing_one() -> None:
    assert "2 times" in refused({"userId": [b"anna", b"bert"]})["userId"]


@pytest.mark.parametrize("name", ["metadata", "metadata[]", "userId[x]", "metadata[a b]", "metadata[a][b]"])
def test_only_a_map_has_keys_and_only_plain_ones(name: str) -> None:
    assert refused({name: [b"x"]})


def test_a_call_without_a_query_takes_none() -> None:
    assert "this call takes none" in refused({"x": [b"1"]}, NoQuery)["x"]


@given(st.dictionaries(st.text(max_size=12), st.lists(st.binary(max_size=12), min_size=1, max_size=3), max_size=4))
def test_any_query_is_read_or_refused_with_a_sentence(arguments: dict[str, list[bytes]]) -> None:
    try:
        query = read_query(TaskListQuery, arguments)
    except Refusal as refusal:
        problems = refusal.fields
        assert problems
    else:
        assert 0 <= query.limit <= 200


@pytest.mark.parametrize("word", [b"null", b"NULL"])
def test_null_is_a_word_and_not_a_missing_field(word: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        read_query(EventsQuery, {"wait": [word]})
    assert caught.value.fields.keys() == {"wait"}
