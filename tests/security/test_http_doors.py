"""Doors of the HTTP API, each knocked at from outside: what strangers and web pages get from a real front-end."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator

import pytest

from protocol.errors import REFUSAL_CODES
from tests.security.raw_http import FORM, RawAnswer, RawCaller, ask, request
from tests.socket.programs import Programs
from web.routes import ROUTES

APP = "https://app.example.com"
GOOD = {"userId": "anna", "projectId": "flowers", "projectDir": "anna/flowers", "trainType": "classification"}
BODY = urllib.parse.urlencode(GOOD).encode()
LIMIT_BYTES = 4096


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    folder = tmp_path_factory.mktemp("doors")
    names = "tfmodel.internal"
    state = folder / "state"
    with Programs(
        folder, HOME=state, WEB_ALLOWED_ORIGINS=APP, WEB_ALLOWED_HOSTS=names, WEB_MAX_BODY_BYTES=LIMIT_BYTES
    ) as running:
        yield running


@pytest.fixture(scope="module")
def port(programs: Programs) -> int:
    return programs.ports["WEB_PORT"]


def check(answer: RawAnswer, status: int, code: str) -> None:
    assert (answer.status, answer.code) == (status, code), answer
    assert REFUSAL_CODES[code] == status
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.json()["error"]) > 20


def tasks_waiting(programs: Programs) -> int:
    return int(programs.get("/v1/tasks?limit=1").body["counts"]["pending"])


# ---- other people's web pages ----

#: All calls of the table, and some that are none.
CALLS = [f"{method} {re.sub('{.*?}', 'x', route.template)}" for route in ROUTES for method in route.calls] + [
    "OPTIONS /",
    "HEAD /readyz",
    "GET /nothing",
    "PUT /",
    "PUT /v1/tasks?limit=3",
]


@pytest.mark.door(13)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "header",
    ["Origin: https://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"],
)
def test_no_call_is_taken_from_another_sites_page(port: int, call: str, header: str) -> None:
    answer = ask(port, f"{call} HTTP/1.1", header, FORM, body=BODY if call.startswith("POST") else b"")
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers
    if not call.startswith("HEAD"):
        check(answer, 403, "cross_site")


@pytest.mark.door(13)
@pytest.mark.parametrize("call", CALLS)
def test_no_call_is_taken_under_a_strangers_name(port: int, call: str) -> None:
    """DNS rebinding: the page's own name points at us, so to the browser it is all one origin."""
    host, origin = "Host: evil.example:2333", "Origin: http://evil.example:2333"
    answer = ask(port, f"{call} HTTP/1.1", host, origin, "Sec-Fetch-Site: same-origin")
    assert answer.status == 403
    if not call.startswith("HEAD"):
        check(answer, 403, "foreign_host")
        assert "[web] allowed_hosts" in answer.json()["error"]


@pytest.mark.door(13)
def test_a_page_that_posts_a_form_makes_no_task(programs: Programs, port: int) -> None:
    task_id = programs.post_id()
    before = tasks_waiting(programs)
    for content_type in (FORM, "Content-Type: text/plain", "Content-Type: multipart/form-data; boundary=x"):
        check(ask(port, "POST / HTTP/1.1", "Origin: null", content_type, body=BODY), 403, "cross_site")
    check(ask(port, f"POST /v1/tasks/{task_id}/stop HTTP/1.1", "Origin: http://localhost:3000"), 403, "cross_site")
    check(ask(port, f"DELETE /v1/tasks/{task_id} HTTP/1.1", "Host: rebound.example"), 403, "foreign_host")
    assert tasks_waiting(programs) == before
    assert programs.task(task_id).body["state"] == "pending"


@pytest.mark.door(13)
def test_back_ends_and_pages_of_our_own_notice_nothing(programs: Programs, port: int) -> None:
    task_id = programs.post_id()
    own = ["Host: localhost:2333", "Origin: http://localhost:2333", "Sec-Fetch-Site: same-origin"]
    for lines in ([], ["Host: tfmodel.internal"], ["Host: [::1]:2333"], ["Sec-Fetch-Site: none"], own):
        assert ask(port, f"GET /?taskId={task_id} HTTP/1.1", *lines).json()["taskId"] == task_id
    assert ask(port, "POST / HTTP/1.1", FORM, *own, body=BODY).status == 200
    with RawCaller(port) as caller:
        caller.send(f"GET /?taskId={task_id} HTTP/1.0\r\n\r\n".encode())
        assert caller.read_answer().json()["taskId"] == task_id


@pytest.mark.door(13)
@pytest.mark.parametrize("lines", [["Host: a", "Host: localhost"], ["Host: a@localhost"], ["Host: localhost:80:80"]])
def test_a_host_that_could_be_read_in_two_ways_is_refused(port: int, lines: list[str]) -> None:
    check(ask(port, "GET /healthz HTTP/1.1", *lines), 400, "bad_request")


@pytest.mark.door(13)
def test_without_a_host_only_http_1_0_is_heard(port: int) -> None:
    with RawCaller(port) as caller:
        caller.send(b"GET /healthz HTTP/1.1\r\n\r\n")
        check(caller.read_answer(), 400, "bad_request")


# ---- pages of allowed origins ----


@pytest.mark.door(13)
def test_an_allowed_origin_is_answered_before_and_after(port: int) -> None:
    asks = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization, content-type"]
    with RawCaller(port) as caller:
        preflight = caller.ask("OPTIONS / HTTP/1.1", f"Origin: {APP}", "Sec-Fetch-Site: cross-site", *asks)
        assert (preflight.status, preflight.body) == (204, b"")
        assert preflight.headers["access-control-allow-origin"] == APP
        assert preflight.headers["vary"] == "Origin"
        assert "POST" in preflight.headers["access-control-allow-methods"]
        assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
        posted = caller.ask("POST / HTTP/1.1", f"Origin: {APP}", "Sec-Fetch-Site: cross-site", FORM, body=BODY)
        assert (posted.status, posted.headers["access-control-allow-origin"]) == (200, APP)
        refused = caller.ask("GET / HTTP/1.1", f"Origin: {APP}")
        assert (refused.status, refused.headers["access-control-allow-origin"]) == (400, APP)
        too_large = caller.ask("POST / HTTP/1.1", f"Origin: {APP}", FORM, f"Content-Length: {LIMIT_BYTES + 1}")
        assert (too_large.status, too_large.headers["access-control-allow-origin"]) == (413, APP)
    for answer in (preflight, posted, refused):
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.door(13)
def test_others_get_no_preflight_and_caches_keep_origins_apart(port: int) -> None:
    asks = "Access-Control-Request-Method: DELETE"
    check(ask(port, "OPTIONS /v1/tasks/x HTTP/1.1", "Origin: https://evil.example", asks), 403, "cross_site")
    plain = ask(port, "GET /healthz HTTP/1.1")
    assert plain.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in plain.headers


# ---- bodies ----

PATHS = ["POST /", "GET /?taskId=x", "DELETE /v1/tasks/x", "POST /v1/tasks/x/stop", "GET /v1/workers"]
PATHS += ["POST /v1/check", "GET /healthz", "POST /readyz", "POST /nothing", "PATCH /", "OPTIONS /"]
PATHS += ["GET /v1/tasks/x/report", "GET /v1/tasks/x/log", "GET /v1/tasks/x/artifacts.zip"]


@pytest.mark.door(15)
@pytest.mark.parametrize("call", PATHS)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(port: int, call: str) -> None:
    with RawCaller(port) as caller:
        # No byte of the body is sent: the answer cannot have waited for it.
        caller.send(request(f"{call} HTTP/1.1", "Content-Length: 10000000000", "Expect: 100-continue"))
        answer = caller.read_answer()
        check(answer, 413, "body_too_large")
        assert answer.headers["connection"] == "close"
        assert str(LIMIT_BYTES) in answer.json()["error"]


@pytest.mark.door(15)
@pytest.mark.parametrize("call", PATHS)
def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(port: int, call: str) -> None:
    with RawCaller(port) as caller:
        caller.send(
            request(f"{call} HTTP/1.1", "Transfer-Encoding: chunked") + b"40000000\r\n" + b"x" * 2 * LIMIT_BYTES
        )
        answer = caller.read_answer()
        check(answer, 413, "body_too_large")
        assert answer.headers["connection"] == "close"


@pytest.mark.door(15)
def test_whoever_sends_too_much_gets_to_read_why(port: int) -> None:
    """The connection is not reset while the body is still on its way."""
    with RawCaller(port) as caller:
        caller.send(request("POST / HTTP/1.1", FORM, body=b"x" * 500_000))
        check(caller.read_answer(), 413, "body_too_large")
        assert caller.is_closed()


@pytest.mark.door(15)
def test_a_sender_without_end_is_cut_off(port: int) -> None:
    with RawCaller(port) as caller:
        caller.send(request("POST / HTTP/1.1", FORM, "Transfer-Encoding: chunked") + b"ffffffff\r\n")
        with pytest.raises(OSError):  # noqa: PT011 - a reset or a broken pipe, as it happens
            caller.send(b"x" * 200_000_000)


@pytest.mark.door(15)
def test_a_body_that_fits_is_asked_for_and_read(port: int) -> None:
    with RawCaller(port) as caller:
        caller.send(request("POST / HTTP/1.1", FORM, f"Content-Length: {len(BODY)}", "Expect: 100-continue"))
        assert caller.read_answer().status == 100
        caller.send(BODY)
        assert caller.read_answer().status == 200
        chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
        caller.send(request("POST / HTTP/1.1", FORM, "Transfer-Encoding: chunked") + chunks)
        assert caller.read_answer().status == 200


@pytest.mark.door(17)
def test_requests_in_a_row_on_one_connection_are_answered_in_order(port: int) -> None:
    with RawCaller(port) as caller:
        posted = request("POST / HTTP/1.1", FORM, body=BODY)
        caller.send(posted + request("GET /healthz HTTP/1.1") + posted + request("GET /nothing HTTP/1.1"))
        assert [caller.read_answer().status for _ in range(4)] == [200, 200, 200, 404]
        assert caller.ask("GET /healthz HTTP/1.1").status == 200


@pytest.mark.door(17)
@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: xchunked"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: 5 6"],
    ],
)
def test_a_body_that_could_end_in_two_places_is_not_guessed(port: int, lines: list[str]) -> None:
    with RawCaller(port) as caller:
        caller.send(request("POST / HTTP/1.1", FORM, *lines) + b"0\r\n\r\n" + request("GET /healthz HTTP/1.1"))
        check(caller.read_answer(), 400, "bad_request")
        assert caller.read_answer().status == 0, "what follows is no request of its own"


# ---- methods and forms ----


@pytest.mark.door(17)
@pytest.mark.parametrize(
    "path",
    [
        *("/healthz", "/readyz", "/v1/workers", "/?taskId={}", "/v1/tasks/{}", "/v1/tasks/{}/report"),
        *("/v1/tasks/{}/log", "/v1/tasks/{}/metrics", "/v1/tasks/{}/artifacts", "/v1/tasks/{}/artifacts.zip"),
    ],
)
def test_head_says_what_get_would_and_sends_no_body(programs: Programs, port: int, path: str) -> None:
    path = path.format(programs.post_id())
    with RawCaller(port) as caller:
        got, headed = caller.ask(f"GET {path} HTTP/1.1"), caller.ask(f"HEAD {path} HTTP/1.1")
        assert headed.status == got.status
        assert headed.headers["content-length"] == got.headers["content-length"] == str(len(got.body))
        assert caller.ask("GET /healthz HTTP/1.1").status == 200, "no byte of a body was left in between"


@pytest.mark.door(17)
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, HEAD, POST, OPTIONS"),
        ("/v1/tasks/x", "GET, HEAD, DELETE, OPTIONS"),
        ("/v1/tasks/x/stop", "POST, OPTIONS"),
        ("/v1/tasks/x/report", "GET, HEAD, OPTIONS"),
        ("/v1/tasks/x/artifacts/saved_model/y", "GET, HEAD, OPTIONS"),
        ("/v1/workers", "GET, HEAD, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_and_405_name_what_is_allowed(port: int, path: str, allowed: str) -> None:
    answer = ask(port, f"OPTIONS {path} HTTP/1.1")
    assert (answer.status, answer.headers["allow"], answer.body) == (204, allowed, b"")
    answer = ask(port, f"PATCH {path} HTTP/1.1")
    check(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed
    assert ask(port, f"FOO {path} HTTP/1.1").status == 405


@pytest.mark.door(17)
def test_multipart_and_json_make_the_same_task_as_a_form(programs: Programs) -> None:
    parts = [
        f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**GOOD, "epochs": "3", "seed": ""}.items()
    ]
    multipart = ("".join(parts) + "--xyz--\r\n").encode()
    as_json = b'{"userId": "anna", "projectId": "flowers", "projectDir": "anna/flowers", "seed": null,'
    as_json += b'"trainType": "classification", "epochs": 3}'
    bodies = {
        "application/x-www-form-urlencoded": BODY + b"&epochs=3&seed=",
        "multipart/form-data; boundary=xyz": multipart,
        "application/json": as_json,
    }
    seen = []
    for content_type, body in bodies.items():
        answer = programs.call("POST", "/", body, {"Content-Type": content_type})
        assert answer.status == 200, answer
        full = programs.get(f"/v1/tasks/{answer.body['taskId']}").body
        seen.append({name: full[name] for name in (*GOOD, "options", "state")})
    assert seen[0] == seen[1] == seen[2]
    assert seen[0]["options"] == {"epochs": 3}


@pytest.mark.door(17)
@pytest.mark.parametrize("text", ['"\\ud800"', "[[1]]", '{"a": 1}', '"\\u0000"', "1e999"])
def test_json_that_no_form_could_hold_gets_a_sentence(programs: Programs, text: str) -> None:
    body = f'{{"userId": {text}, "projectId": "p", "projectDir": "anna/flowers", "trainType": "classification"}}'
    answer = programs.call("POST", "/", body.encode(), {"Content-Type": "application/json"})
    assert answer.status == (200 if text == "1e999" else 400)


@pytest.mark.door(17)
def test_fields_in_the_url_of_a_post_get_a_sentence(programs: Programs, port: int) -> None:
    check(ask(port, f"POST /?{BODY.decode()} HTTP/1.1", FORM, body=BODY), 400, "bad_fields")
    check(ask(port, f"POST /?taskId={'0' * 32} HTTP/1.1", FORM, body=BODY), 400, "bad_fields")
    answer = programs.call("POST", "/?userId=anna", BODY, {"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.body["fields"].keys() == {"userId"}
    assert "in the body" in answer.body["error"]
