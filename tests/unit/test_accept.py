"""Accept and Accept-Encoding, as callers really write them."""

from __future__ import annotations

import pytest

from web.answers.accept import prefers, qualities, takes_gzip

PROBLEM, JSON = "application/problem+json", "application/json"


@pytest.mark.parametrize(
    ("header", "preferred"),
    [
        ("application/problem+json", True),
        ("application/json, application/problem+json", True),
        ("application/problem+json;q=0.5, application/json;q=0.4", True),
        ("Application/Problem+JSON; q=1.0", True),
        ("application/problem+json, */*;q=0.1", True),
        ('application/problem+json; profile="a, b; q=0", text/html', True),
        ("application/problem+json;q=0.5, application/*", False),
        ("application/problem+json;q=0", False),
        ("application/problem+json;q=0.4, application/json;q=0.5", False),
        ("application/json", False),
        ("*/*", False),
        ("", False),
        (';;,,"', False),
    ],
)
def test_problem_json_is_sent_to_whoever_names_it_and_likes_it_as_much(header: str, preferred: bool) -> None:
    assert prefers(header, PROBLEM, JSON) is preferred


def test_a_quality_that_is_no_number_counts_as_none() -> None:
    assert qualities("a/b;q=high, c/d;q=0.250, e/f;q=7") == {"a/b": 1.0, "c/d": 0.25, "e/f": 1.0}


@pytest.mark.parametrize(
    ("header", "taken"),
    [("gzip, deflate, br", True), ("*", True), ("gzip;q=0, *", False), ("identity", False), ("", False)],
)
def test_gzip_is_sent_only_to_whoever_takes_it(header: str, taken: bool) -> None:
    assert takes_gzip(header) is taken
