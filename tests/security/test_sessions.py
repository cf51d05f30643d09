"""Sessions of browsers at a real front-end: what a page may do by its cookie, and what nobody else may do with it."""

from __future__ import annotations

import datetime
import http.client
import json
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pytest

from conf.tokens import create_token, revoke_token
from tests.security.raw_http import RawCaller, request
from tests.socket.programs import Answer, Programs
from tests.waiting import TIMEOUT_S, wait_until

pytestmark = pytest.mark.door(26)

APP = "https://app.example.com"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    folder = tmp_path_factory.mktemp("sessions")
    with Programs(folder, HOME=folder / "state", WEB_ALLOWED_ORIGINS=APP) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(programs: Programs) -> dict[str, str]:
    """Tokens by their names. The first one is made while the server runs and needs none."""
    assert session(programs).body == NOBODY_NEEDED
    file = programs.settings.token_file
    made = {name: create_token(file, name) for name in ("website", "guest")}
    made["looker"] = create_token(file, "looker", read_only=True)
    made["anna"] = create_token(file, "anna", "anna")
    wait_until(lambda: sign_in(programs, made["anna"]).body.get("signedIn"), "the tokens to count")
    return made


NOBODY_NEEDED = {
    **{"needed": False, "signedIn": False, "tokenName": "", "userId": "", "readOnly": False, "mayWrite": True},
    "expiresAt": None,
}


def session(programs: Programs, **headers: str) -> Answer:
    return programs.get("/v1/session", **headers)


def sign_in(programs: Programs, token: str, **headers: str) -> Answer:
    return programs.call("POST", "/v1/session", json.dumps({"token": token}).encode(), {**JSON, **headers})


def cookie_of(programs: Programs, token: str) -> dict[str, str]:
    """The header that a browser sends after it has signed in."""
    answer = sign_in(programs, token)
    assert answer.status == 200, answer
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


def check(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.body.get("code")) == (status, code), answer


def test_no_script_reads_the_cookie_and_no_other_site_sends_it(programs: Programs, tokens: dict[str, str]) -> None:
    port = programs.ports["WEB_PORT"]
    answer = sign_in(programs, tokens["website"], Origin=f"http://127.0.0.1:{port}")
    assert answer.headers["cache-control"] == "no-store"
    pair, *attributes = answer.headers["set-cookie"].split("; ")
    assert pair.startswith(f"tfmodel_{port}=website.")
    assert tokens["website"] not in pair
    kept = {each.partition("=")[0]: each.partition("=")[2] for each in attributes if not each.startswith("expires")}
    assert kept == {"HttpOnly": "", "Max-Age": "604800", "Path": "/", "SameSite": "Strict"}
    by_tls = sign_in(programs, tokens["website"], Origin=f"https://127.0.0.1:{port}")
    assert "; Secure" in by_tls.headers["set-cookie"]


def test_a_page_does_by_its_cookie_what_the_token_may(programs: Programs, tokens: dict[str, str]) -> None:
    website, anna, looker = (cookie_of(programs, tokens[name]) for name in ("website", "anna", "looker"))
    berts = str(programs.post(website, userId="bert").body["taskId"])
    assert programs.get(f"/v1/tasks/{berts}", **website).body["userId"] == "bert"
    assert programs.get(f"/v1/tasks/{berts}", **looker).body["userId"] == "bert"
    check(programs.get(f"/v1/tasks/{berts}", **anna), 404, "unknown_task")
    check(programs.post(anna, userId="bert"), 403, "user_not_allowed")
    check(programs.post(looker), 403, "read_only_token")
    large = b'{"pictures": [{"path": "' + b"x" * 200_000 + b'"}]}'
    path = f"/v1/tasks/{berts}/predict"
    check(programs.call("POST", path, large, {**JSON, **website}), 400, "bad_fields")
    check(programs.call("POST", path, large, JSON), 401, "unauthorized")
    rights = {name: session(programs, **cookie_of(programs, token)).body for name, token in tokens.items()}
    assert {name: (each["signedIn"], each["mayWrite"], each["userId"]) for name, each in rights.items()} == {
        "website": (True, True, ""),
        "anna": (True, True, "anna"),
        "looker": (True, False, ""),
        "guest": (True, True, ""),
    }
    assert rights["anna"]["expiresAt"] > "2026"


def test_who_has_not_signed_in_is_told_so(programs: Programs, tokens: dict[str, str]) -> None:
    unknown = {**NOBODY_NEEDED, "needed": True, "mayWrite": False}
    assert session(programs).body == unknown
    assert session(programs, Cookie=f"tfmodel_{programs.ports['WEB_PORT']}=website.9999999999.00").body == unknown
    by_header = session(programs, Authorization=f"Bearer {tokens['anna']}").body
    assert (by_header["signedIn"], by_header["tokenName"], by_header["expiresAt"]) == (True, "anna", None)
    refused = sign_in(programs, "tfm_" + "x" * 43)
    check(refused, 401, "unauthorized")
    assert "set-cookie" not in refused.headers
    for body in (b"", b"{}", b'{"token": 7}', b'{"token": ""}', b'{"token": "a", "more": 1}', b"[]"):
        check(programs.call("POST", "/v1/session", body, JSON), 400, "bad_fields")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    check(programs.call("POST", "/v1/session", b"token=a", form), 415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": APP}, 401, "unauthorized"),
        ({"Origin": APP, "Sec-Fetch-Site": "cross-site"}, 401, "unauthorized"),
        ({"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-site"}, 403, "cross_site"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "cross_site"),
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403, "cross_site"),
        ({"Authorization": "Bearer wrong"}, 401, "unauthorized"),
    ],
)
def test_pages_of_other_origins_do_nothing_with_it(
    programs: Programs, tokens: dict[str, str], headers: dict[str, str], status: int, code: str
) -> None:
    cookie = cookie_of(programs, tokens["website"])
    assert programs.get("/v1/workers", **cookie).status == 200
    check(programs.get("/v1/workers", **cookie, **headers), status, code)
    check(programs.get("/v1/events?wait=0", **cookie, **headers), status, code)
    check(programs.post({**cookie, **headers}), status, code)
    if "Origin" in headers:
        check(sign_in(programs, tokens["guest"], **headers), 403, "cross_site")
        check(programs.call("DELETE", "/v1/session", sent={**cookie, **headers}), 403, "cross_site")


def test_signing_out_removes_it_from_the_browser(programs: Programs, tokens: dict[str, str]) -> None:
    cookie = cookie_of(programs, tokens["website"])
    answer = programs.call("DELETE", "/v1/session", sent=cookie)
    assert (answer.body["needed"], answer.body["signedIn"], answer.body["mayWrite"]) == (True, False, False)
    pair, *attributes = answer.headers["set-cookie"].split("; ")
    assert pair == f'{cookie["Cookie"].partition("=")[0]}=""'
    assert {"HttpOnly", "Path=/", "SameSite=Strict"} <= set(attributes)
    (end,) = (each.removeprefix("expires=") for each in attributes if each.startswith("expires="))
    assert parsedate_to_datetime(end) < datetime.datetime.now(datetime.UTC)


def test_a_revoked_token_ends_its_sessions_and_their_streams(programs: Programs, tokens: dict[str, str]) -> None:
    cookie = cookie_of(programs, tokens["guest"])
    listener = http.client.HTTPConnection("127.0.0.1", programs.ports["WEB_PORT"], timeout=TIMEOUT_S)
    listener.request("GET", "/v1/events", headers=cookie)
    stream = listener.getresponse()
    assert stream.status == 200
    revoke_token(programs.settings.token_file, "guest")
    stream.read()
    listener.close()
    check(programs.get("/v1/workers", **cookie), 401, "unauthorized")
    again = create_token(programs.settings.token_file, "guest")
    wait_until(lambda: sign_in(programs, again).status == 200, "the new token")
    check(programs.get("/v1/workers", **cookie), 401, "unauthorized")


def listed(programs: Programs, token: str) -> Answer:
    return programs.get("/v1/tokens", Authorization=f"Bearer {token}")


def test_only_tokens_for_all_users_see_the_names_of_tokens(programs: Programs, tokens: dict[str, str]) -> None:
    rights = {
        each["name"]: (each["userId"], each["readOnly"]) for each in listed(programs, tokens["looker"]).body["tokens"]
    }
    assert {name: rights[name] for name in ("website", "anna", "looker")} == {
        "website": ("", False),
        "anna": ("anna", False),
        "looker": ("", True),
    }
    assert "sha256" not in str(listed(programs, tokens["website"]).body)
    check(listed(programs, tokens["anna"]), 403, "user_not_allowed")


def test_no_log_holds_a_session_wherever_it_was_sent(programs: Programs, tokens: dict[str, str]) -> None:
    cookie = cookie_of(programs, tokens["website"])["Cookie"]
    for sent in (
        request("GET /v1/workers HTTP/1.1", f"Cookie: {cookie}\x00"),
        request("GET /v1/workers HTTP/1.1", f"Cookie {cookie}"),
        request(f"GET /{cookie} HTTP/1.1", f"Cookie: {cookie}"),
        request("GET / HTTP/1.1", f"Host: {cookie}"),
        request(f"{cookie} / HTTP/1.1"),
        f"GET {cookie}\r\n\r\n".encode(),
    ):
        with RawCaller(programs.ports["WEB_PORT"]) as caller:
            caller.send(sent)
            assert 400 <= caller.read_answer().status < 500, sent
    assert f"tfmodel_{programs.ports['WEB_PORT']}=…" in programs.log_of("web")
    assert cookie.rpartition(".")[2] not in programs.log_of("web")
