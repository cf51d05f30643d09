"""Which bodies may be large, and how much all large ones may take together."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from web.answers.refusal import Refusal
from web.door.body_limits import FORMS_AT_ONCE, BodyLimits, limit_of_parts, limit_of_pictures, usual_limit

LARGE_BYTES = 1000
PATHS = ("/v1/tasks/([^/]+)/predict", "/v1/projects/([^/]+)/([^/]+)/predict")
GOOD = HTTPHeaders({"Authorization": "Bearer good"})
PARTS, PART_BYTES = "/v1/uploads/([^/]+)", 500


def admit(headers: HTTPHeaders) -> None:
    if headers.get("Authorization") != "Bearer good":
        raise Refusal("unauthorized", "Send a token.")


def limits() -> BodyLimits:
    large = {path: limit_of_pictures(LARGE_BYTES) for path in PATHS} | {PARTS: limit_of_parts(PART_BYTES)}
    return BodyLimits(usual_limit(100), large, admit)


@pytest.mark.parametrize(
    ("method", "path", "most_bytes"),
    [
        ("POST", "/v1/tasks/x/predict", LARGE_BYTES),
        ("POST", "/v1/tasks/x/predict?a=b", LARGE_BYTES),
        ("POST", "/v1/projects/x/y/predict", LARGE_BYTES),
        ("POST", "/v1/uploads/x", PART_BYTES),
        ("POST", "/v1/uploads", 100),
        ("GET", "/v1/tasks/x/predict", 100),
        ("POST", "/v1/tasks/x/predict/", 100),
        ("POST", "/v1/tasks/x/y/predict", 100),
        ("POST", "/?/v1/tasks/x/predict", 100),
        ("POST", "http://host/v1/tasks/x/predict", 100),
    ],
)
def test_only_calls_with_pictures_have_large_bodies(method: str, path: str, most_bytes: int) -> None:
    assert limits().of(method, path, GOOD).most_bytes == most_bytes


def test_a_large_body_needs_a_token_and_others_are_asked_later() -> None:
    with pytest.raises(Refusal) as refusal:
        limits().of("POST", "/v1/tasks/x/predict", HTTPHeaders())

    assert refusal.value.problem.code == "unauthorized"
    assert limits().of("POST", "/v1/tasks", HTTPHeaders()).most_bytes == 100


def test_large_bodies_of_a_kind_share_a_bound_until_they_are_answered() -> None:
    door, pictures = limits(), limit_of_pictures(LARGE_BYTES)
    leases = [door.lease(pictures) for _ in range(FORMS_AT_ONCE)]
    for lease in leases:
        lease.take(LARGE_BYTES - 1)
        lease.take(1)
    other = door.lease(pictures)
    with pytest.raises(Refusal) as refusal:
        other.take(1)

    assert (refusal.value.problem.code, refusal.value.headers) == ("predict_busy", {"Retry-After": "2"})
    door.lease(limit_of_parts(PART_BYTES)).take(PART_BYTES)
    leases[0].release()
    leases[0].release()
    other.take(LARGE_BYTES)
    with pytest.raises(Refusal):
        other.take(1)


def test_the_refusal_says_which_setting_it_is() -> None:
    large, usual = limits().of("POST", PATHS[0].replace("([^/]+)", "x"), GOOD), usual_limit(100)

    assert "[web] max_predict_body_mb" in large.refusal(2000).problem.error
    assert "[web] max_body_bytes" in usual.refusal(101).problem.error
