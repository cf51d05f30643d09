"""One attempt to deliver a webhook: over real sockets, to receivers that do well, badly, or lead elsewhere."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate

import pytest

from conf.webhook_addresses import AddressRules
from tests.webhook_receiver import Reaction, Receiver
from web.webhooks.guarded_network import GuardedNetwork, Resolve, SystemResolver
from web.webhooks.retries import Outcome
from web.webhooks.sender import Sender
from web.webhooks.webhook_message import WebhookMessage

#: For receivers that do not answer. All others have time, however busy the machine is.
SHORT_S, LONG_S = 0.5, 60.0
KEY = b"0" * 32


async def attempt(
    url: str, resolve: Resolve | None = None, times: int = 1, allowed: str = "127.0.0.1", timeout_s: float = LONG_S
) -> list[Outcome]:
    network = GuardedNetwork(AddressRules([allowed] if allowed else []), resolve or SystemResolver())
    sender = Sender(network, lambda: [KEY], timeout_s, connections=4)
    sender.open()
    try:
        message = WebhookMessage(url, "evt_1_x", b'{"a": 1}', "application/json")
        return [await sender.send(message) for _ in range(times)]
    finally:
        await sender.close()


def outcome_of(url: str, resolve: Resolve | None = None, allowed: str = "127.0.0.1") -> Outcome:
    return asyncio.run(attempt(url, resolve, allowed=allowed))[0]


def resolving_to(*addresses: str) -> Resolve:
    async def resolve(host: str, port: int) -> list[str]:
        return list(addresses)

    return resolve


def test_a_webhook_arrives_with_its_body_and_headers() -> None:
    with Receiver() as receiver:
        outcome = outcome_of(receiver.url + "?key=1")
    assert (outcome.delivered, outcome.status, outcome.error) == (True, 204, "")
    (received,) = receiver.received
    assert (received.path, received.body) == ("/hook?key=1", b'{"a": 1}')
    assert received.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"] == "evt_1_x"
    assert abs(int(received.headers["webhook-timestamp"]) - time.time()) < 60
    assert received.headers["webhook-signature"].startswith("v1,")


@pytest.mark.parametrize(
    ("reaction", "delivered", "words"),
    [
        (200, True, ""),
        (299, True, ""),
        ("lie", True, ""),
        (302, False, "redirects are not followed"),
        (404, False, "answered 404"),
        (500, False, "answered 500"),
        ("close", False, "cannot be reached"),
    ],
)
def test_only_a_status_from_200_to_299_means_that_it_has_arrived(
    reaction: Reaction, delivered: bool, words: str
) -> None:
    with Receiver(lambda _: reaction, {"Location": "http://127.0.0.1:1/"}) as receiver:
        outcome = outcome_of(receiver.url)
        assert len(receiver.received) == 1
    assert outcome.delivered == delivered
    assert words in outcome.error


@pytest.mark.parametrize("reaction", ["hang", "drip"])
def test_an_attempt_at_a_receiver_that_hangs_or_drips_ends_in_time(reaction: Reaction) -> None:
    with Receiver(lambda _: reaction) as receiver:
        (outcome,) = asyncio.run(attempt(receiver.url, timeout_s=SHORT_S))
        assert outcome.error == "The receiver did not answer within 0.5 s."
    assert outcome.status == 0


def test_nobody_there_is_a_failure_with_a_sentence() -> None:
    with Receiver() as receiver:
        url = receiver.url
    assert "cannot be reached" in outcome_of(url).error

    async def no_such_name(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    assert "shop.example.com cannot be resolved" in outcome_of("http://shop.example.com/", no_such_name).error


def test_a_plain_server_at_an_https_url_is_a_failure() -> None:
    with Receiver() as receiver:
        assert "cannot be reached" in outcome_of(receiver.url.replace("http:", "https:")).error


@pytest.mark.parametrize(("text", "seconds"), [("7", 7), ("soon", 0), ("-5", 0)], ids=["seconds", "word", "negative"])
def test_retry_after_is_read_as_seconds(text: str, seconds: float) -> None:
    with Receiver(lambda _: 503, {"Retry-After": text}) as receiver:
        assert outcome_of(receiver.url).retry_after_s == seconds


def test_retry_after_is_read_as_a_date_and_may_be_huge() -> None:
    with Receiver(lambda _: 503, {"Retry-After": formatdate(time.time() + 900, usegmt=True)}) as receiver:
        assert 600 <= outcome_of(receiver.url).retry_after_s <= 900
    with Receiver(lambda _: 503, {"Retry-After": "9" * 99}) as receiver:
        assert 1e9 <= outcome_of(receiver.url).retry_after_s <= 1e10


@pytest.mark.door(23)
def test_a_name_that_leads_to_this_machine_is_not_called() -> None:
    with Receiver() as receiver:
        for addresses in (["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::ffff:127.0.0.1"]):
            url = f"http://shop.example.com:{receiver.port}/"
            outcome = outcome_of(url, resolving_to(*addresses), allowed="")
            assert "[webhooks] allowed_private" in outcome.error
        for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"):
            assert outcome_of(f"http://{host}:{receiver.port}/", allowed="").status == 0
    assert receiver.received == []


@pytest.mark.door(23)
def test_the_address_is_checked_at_each_connection_so_a_name_that_changes_leads_nowhere_else() -> None:
    """DNS rebinding: the first look-up finds an address that is allowed, and a later one this machine."""
    answers = iter(["127.0.0.1", "127.0.0.2", "127.0.0.1"])

    async def resolve(host: str, port: int) -> list[str]:
        return [next(answers)]

    with Receiver(headers={"Connection": "close"}) as receiver:
        url = f"http://shop.example.com:{receiver.port}/"
        first, second, third = asyncio.run(attempt(url, resolve, times=3))
        assert [each.headers["host"] for each in receiver.received] == [f"shop.example.com:{receiver.port}"] * 2
    assert (first.delivered, third.delivered) == (True, True)
    assert "127.0.0.2, which is not a public address" in second.error


@pytest.mark.door(23)
def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as proxy, Receiver() as receiver:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert outcome_of(receiver.url).delivered
        assert proxy.received == []


def test_connections_are_kept_for_the_next_webhook() -> None:
    looked_up: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    with Receiver() as receiver:
        outcomes = asyncio.run(attempt(f"http://shop.example.com:{receiver.port}/", resolve, times=5))
    assert all(outcome.delivered for outcome in outcomes)
    assert looked_up == ["shop.example.com"]
