"""Sessions of browsers: who is admitted by a cookie, from which page, and until when."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tornado.httputil import HTTPHeaders

from conf.tokens import create_token, read_tokens, revoke_token
from tests.token_gates import ALLOWED_ORIGIN, COOKIE, HOST, make_gate
from web.answers.refusal import Refusal
from web.door.session_cookie import LIFETIME_S, cookie_value
from web.door.token_gate import ANYBODY, Caller

pytestmark = pytest.mark.door(26)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "var" / "tokens.json"


@pytest.fixture
def cookie(file: Path) -> str:
    """The value of the cookie of Anna's session."""
    return make_gate(file).sign_in(create_token(file, "anna", "anna", read_only=True))[1]


def with_cookie(value: str, **headers: str) -> HTTPHeaders:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return HTTPHeaders({"Host": HOST, "Cookie": f"{COOKIE}={value}", **named})


def test_a_session_has_the_rights_of_its_token(file: Path, cookie: str) -> None:
    caller = make_gate(file).caller_of(with_cookie(cookie))
    assert caller is not None
    assert (caller.user, caller.read_only, caller.token_name) == ("anna", True, "anna")
    assert caller.session_ends_at_s == pytest.approx(time.time() + LIFETIME_S, abs=60)


def test_the_cookie_holds_neither_the_token_nor_its_hash(file: Path) -> None:
    token = create_token(file, "website")
    cookie = make_gate(file).sign_in(f" {token}\n")[1]
    (kept,) = read_tokens(file) or []
    assert token not in cookie
    assert kept.sha256 not in cookie


@pytest.mark.parametrize("token", ["", "tfm_", "tfm_" + "x" * 43, "\udcff", "anna"])
def test_another_text_signs_nobody_in(file: Path, cookie: str, token: str) -> None:
    with pytest.raises(Refusal) as refusal:
        make_gate(file).sign_in(token)
    assert refusal.value.problem.code == "unauthorized"


def test_without_tokens_there_is_nobody_to_sign_in_as(file: Path) -> None:
    gate = make_gate(file)
    assert gate.sign_in("tfm_anything") == (ANYBODY, "")
    assert gate.caller_of(with_cookie("anna.1.00")) == ANYBODY


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": f"http://{HOST}"},
        {"Origin": f"https://{HOST}", "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_it_counts_for_pages_of_this_server(file: Path, cookie: str, headers: dict[str, str]) -> None:
    assert make_gate(file).caller_of(with_cookie(cookie, **headers)) is not None


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ALLOWED_ORIGIN},
        {"Origin": ALLOWED_ORIGIN, "Sec_Fetch_Site": "cross-site"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Origin": "http://127.0.0.1:8080", "Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Origin": "null"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": ""},
    ],
)
def test_it_counts_for_no_other_page_and_not_beside_a_token(file: Path, cookie: str, headers: dict[str, str]) -> None:
    gate = make_gate(file)
    assert gate.caller_of(with_cookie(cookie, **headers)) is None
    with pytest.raises(Refusal) as refusal:
        gate.admit(with_cookie(cookie, **headers))
    assert refusal.value.problem.code == "unauthorized"


def test_a_second_origin_makes_it_count_for_nothing(file: Path, cookie: str) -> None:
    headers = with_cookie(cookie, Origin=f"http://{HOST}")
    headers.add("Origin", ALLOWED_ORIGIN)
    assert make_gate(file).caller_of(headers) is None


def test_it_ends_with_its_token_even_if_the_name_is_given_again(file: Path, cookie: str) -> None:
    gate = make_gate(file)
    assert gate.caller_of(with_cookie(cookie)) is not None
    revoke_token(file, "anna")
    assert gate.caller_of(with_cookie(cookie)) is None
    create_token(file, "anna", "anna", read_only=True)
    assert gate.caller_of(with_cookie(cookie)) is None


def test_it_ends_in_time(file: Path, cookie: str) -> None:
    (token,) = read_tokens(file) or []
    now_s = int(time.time())
    gate = make_gate(file)
    assert gate.caller_of(with_cookie(cookie_value(token, now_s - 1))) is None
    assert gate.caller_of(with_cookie(cookie_value(token, now_s + 60))) == Caller("anna", True, "anna", now_s + 60)


def test_no_part_of_it_can_be_changed(file: Path, cookie: str) -> None:
    create_token(file, "all")
    gate = make_gate(file)
    name, end, signature = cookie.split(".")
    assert gate.caller_of(with_cookie(f"{name}.{end}.{signature}")) is not None
    for forged in (
        f"all.{end}.{signature}",
        f"nobody.{end}.{signature}",
        f"{name}.{int(end) + 1}.{signature}",
        f"{name}.{end}.{signature[:-1]}{'0' if signature[-1] != '0' else '1'}",
        f"{name}.{end}.{'0' * 64}",
    ):
        assert gate.caller_of(with_cookie(forged)) is None


def test_what_is_no_session_is_not_one(file: Path, cookie: str) -> None:
    gate = make_gate(file)
    for value in (
        *("", ".", "..", "anna", "anna.1", cookie[:-1], cookie + "0", f'"{cookie}"', f" {cookie}x", cookie.upper()),
        *(f"{cookie}; {COOKIE}={cookie}", f"{cookie}; {COOKIE}=", "a" * 100_000, "." * 100_000, "\xff", "a=b"),
    ):
        assert gate.caller_of(with_cookie(value)) is None
    headers = with_cookie(cookie)
    headers.add("Cookie", f"{COOKIE}={cookie}")
    assert gate.caller_of(headers) is None


def test_other_cookies_do_not_matter(file: Path, cookie: str) -> None:
    gate = make_gate(file)
    headers = HTTPHeaders({"Host": HOST, "Cookie": f"a=b; ={COOKIE}; c; {COOKIE}={cookie};tfmodel_9=x"})
    assert gate.caller_of(headers) is not None
    other_port = HTTPHeaders({"Host": HOST, "Cookie": f"tfmodel_2334={cookie}"})
    assert gate.caller_of(other_port) is None
