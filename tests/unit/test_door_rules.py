"""Which Hosts, origins and lengths pass the door, as one table each."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from web.answers.refusal import Refusal
from web.door.body_limits import usual_limit
from web.door.door_rules import MAX_REMEMBERED_HOSTS, DoorRules

APP = "https://app.example.com"
LIMIT_BYTES = 1000


def rules(host: str = "127.0.0.1", hosts: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> DoorRules:
    return DoorRules(host, hosts, origins)


def verdict(door: DoorRules, *lines: str, version: str = "HTTP/1.1") -> str:
    """The code of the refusal, or "" when the head passes. A Host is added unless there is one."""
    headers = HTTPHeaders()
    for line in lines if any(line.startswith("Host") for line in lines) else ("Host: localhost:2333", *lines):
        headers.parse_line(line)
    return verdict_on(door, headers, version)


def verdict_on(door: DoorRules, headers: HTTPHeaders, version: str = "HTTP/1.1") -> str:
    try:
        door.check(headers, version)
        door.check_length(headers, usual_limit(LIMIT_BYTES))
    except Refusal as refusal:
        return str(refusal.problem.code)
    return ""


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.1:2333", "127.8.9.10:80", "localhost", "LocalHost:2333", "localhost.", "localhost.:80"),
        *("[::1]", "[::1]:2333", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]:2333", "localhost:"),
    ],
)
def test_loopback_hosts_pass_in_every_spelling(host: str) -> None:
    assert verdict(rules(), f"Host: {host}") == ""


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:2333", "localhost.evil.example", "127.0.0.1.evil.example", "128.0.0.1"),
        *("2130706433", "0x7f.1", "127.1", "0.0.0.0:2333", "192.0.2.7", "[::]", "[2001:db8::1]:2333", "xlocalhost"),
        *("localhost..", "[::ffff:192.0.2.7]", "tfmodel.internal"),
    ],
)
def test_other_hosts_are_foreign(host: str) -> None:
    assert verdict(rules(), f"Host: {host}") == "foreign_host"


@pytest.mark.parametrize(
    "host",
    [
        *("", "user@localhost", "localhost:2333@evil.example", "local host", "localhost:99999", "localhost:x", "[::1"),
        *("localhost/", "localhost,evil.example", "localhost:80:80", "http://localhost", "%6cocalhost", "[]", "::1"),
    ],
)
def test_a_host_that_is_none_is_a_bad_request(host: str) -> None:
    assert verdict(rules(), f"Host: {host}") == "bad_request"


def test_one_host_has_to_come_but_for_http_1_0() -> None:
    assert verdict_on(rules(), HTTPHeaders()) == "bad_request"
    assert verdict_on(rules(), HTTPHeaders(), "HTTP/1.0") == ""
    assert verdict(rules(), "Host: localhost", "Host: localhost") == "bad_request"
    assert verdict(rules(), "Host: evil.example", version="HTTP/1.0") == "foreign_host"


def test_the_listening_address_and_named_hosts_pass_at_any_port() -> None:
    assert verdict(rules("192.0.2.7"), "Host: 192.0.2.7:2333") == ""
    assert verdict(rules("2001:db8::7"), "Host: [2001:DB8:0::7]:2333") == ""
    assert verdict(rules("0.0.0.0"), "Host: 0.0.0.0:2333") == "foreign_host"
    named = rules("0.0.0.0", ("TFModel.internal", "[2001:db8::9]"))
    assert verdict(named, "Host: tfmodel.internal:8080") == ""
    assert verdict(named, "Host: tfmodel.INTERNAL.") == ""
    assert verdict(named, "Host: [2001:db8::9]") == ""
    assert verdict(named, "Host: sub.tfmodel.internal") == "foreign_host"


def test_a_refused_host_names_the_setting() -> None:
    with pytest.raises(Refusal, match=r"\[web\] allowed_hosts") as caught:
        rules().check(HTTPHeaders({"Host": "tfmodel.internal"}), "HTTP/1.1")
    assert caught.value.status_code == 403


def test_any_number_of_hosts_costs_bounded_memory() -> None:
    door = rules()
    for number in range(3 * MAX_REMEMBERED_HOSTS):
        assert verdict_on(door, HTTPHeaders({"Host": f"h{number}"})) == "foreign_host"
    assert len(door._remembered) <= MAX_REMEMBERED_HOSTS + 1


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((), ""),
        (("Sec-Fetch-Site: none",), ""),
        (("Sec-Fetch-Site: same-origin",), ""),
        (("Origin: http://localhost:2333",), ""),
        (("Origin: http://localhost:2333", "Sec-Fetch-Site: same-origin"), ""),
        (("Origin: https://localhost:2333",), ""),  # a proxy speaks TLS in front of us
        (("Host: localhost", "Origin: http://localhost"), ""),
        (("Host: localhost:443", "Origin: https://localhost"), ""),
        ((f"Origin: {APP}",), ""),
        ((f"Origin: {APP}", "Sec-Fetch-Site: cross-site"), ""),
        (("Sec-Fetch-Site: cross-site",), "cross_site"),
        (("Sec-Fetch-Site: same-site",), "cross_site"),
        (("Sec-Fetch-Site: Cross-Site",), "cross_site"),
        (("Sec-Fetch-Site: ",), "cross_site"),
        (("Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"), "cross_site"),
        (("Origin: null",), "cross_site"),
        (("Origin: ",), "cross_site"),
        (("Origin: http://localhost:8000",), "cross_site"),
        (("Origin: http://localhost:8000", "Sec-Fetch-Site: same-site"), "cross_site"),
        (("Origin: http://localhost:2333", "Sec-Fetch-Site: cross-site"), "cross_site"),
        (("Origin: http://127.0.0.1:2333",), "cross_site"),
        (("Origin: http://evil.example",), "cross_site"),
        (("Origin: http://localhost:2333.evil.example",), "cross_site"),
        (("Origin: file://",), "cross_site"),
        (("Origin: chrome-extension://abc",), "cross_site"),
        (("Origin: https://app.example.com.evil.example",), "cross_site"),
        (("Origin: http://app.example.com",), "cross_site"),
        (("Origin: https://app.example.com:8443",), "cross_site"),
        ((f"Origin: {APP}", "Origin: http://evil.example"), "cross_site"),
        (("Origin: http://localhost:2333", "Origin: http://localhost:2333"), "cross_site"),
    ],
)
def test_what_a_browser_says_of_a_requests_origin_decides(lines: tuple[str, ...], code: str) -> None:
    assert verdict(rules(origins=(APP,)), *lines) == code


def test_only_allowed_origins_may_read_the_answer() -> None:
    door = rules(origins=(APP,))
    allowed = door.cors_headers(HTTPHeaders({"Origin": APP}))
    assert (allowed["Access-Control-Allow-Origin"], allowed["Vary"]) == (APP, "Origin")
    assert "Access-Control-Allow-Credentials" not in allowed
    for other in ({}, {"Origin": "http://localhost:2333"}, {"Origin": "null"}):
        assert door.cors_headers(HTTPHeaders(other)) == {"Vary": "Origin"}
    assert rules().cors_headers(HTTPHeaders({"Origin": APP})) == {}


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("Content-Length: 0",), ""),
        ((f"Content-Length: {LIMIT_BYTES}",), ""),
        (("Content-Length: 5", "Content-Length: 5"), ""),
        (("Content-Length: 5, 5",), ""),
        (("Transfer-Encoding: Chunked",), ""),
        ((f"Content-Length: {LIMIT_BYTES + 1}",), "body_too_large"),
        (("Content-Length: 999999999999999999",), "body_too_large"),
        (("Content-Length: 9999999999999999999999",), "bad_request"),
        (("Content-Length: 5", "Content-Length: 6"), "bad_request"),
        (("Content-Length: +5",), "bad_request"),
        (("Content-Length: -1",), "bad_request"),
        (("Content-Length: 0x10",), "bad_request"),
        (("Content-Length: 1_0",), "bad_request"),
        (("Content-Length: ",), "bad_request"),
        (("Content-Length: 5", "Transfer-Encoding: chunked"), "bad_request"),
        (("Transfer-Encoding: gzip, chunked",), "bad_request"),
        (("Transfer-Encoding: identity",), "bad_request"),
        (("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "bad_request"),
        (("Transfer-Encoding: ",), "bad_request"),
    ],
)
def test_a_length_is_one_number_within_the_limit_or_chunked(lines: tuple[str, ...], code: str) -> None:
    assert verdict(rules(), *lines) == code
