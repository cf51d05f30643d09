"""URLs of webhooks: how they must look, and where those of tasks may point."""

from __future__ import annotations

import pytest

from conf.webhook_url import MAX_URL_CHARS, parse_origin, parse_url, why_not_allowed


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://Shop.Example.com/hook?x=1", "https://shop.example.com", "/hook?x=1"),
        ("https://shop.example.com:443", "https://shop.example.com", "/"),
        ("http://shop.example.com:8080/a/b", "http://shop.example.com:8080", "/a/b"),
        ("https://[2001:DB8::7]:8443/", "https://[2001:db8::7]:8443", "/"),
    ],
)
def test_a_url_is_read_into_its_parts(url: str, origin: str, target: str) -> None:
    parsed = parse_url(url)
    assert (parsed.origin, parsed.target) == (origin, target)


@pytest.mark.parametrize(
    "url",
    [
        *("", "shop.example.com", "ftp://shop.example.com/", "//shop.example.com/", "https:///x", "https://"),
        *("https://user:secret@shop.example.com/", "https://shop.example.com/#part", "https://shop.example.com/a b"),
        *(
            "https://shop.example.com\\@evil.example/",
            "https://shop.example.com/\r\nHost: evil",
            "https://täst.example/",
        ),
        *(
            "https://shop.example.com:0/",
            "https://shop.example.com:99999/",
            "https://[::1/",
            " https://shop.example.com/",
        ),
        # Letters beyond ASCII that are equal to "s" and "k" where case is ignored.
        *("http\u017f://shop.example.com/", "https://boo\u212as.example.com/"),
        *("https://shop.example.com\n", "https://.example.com/", "https://shop.example.com/" + "x" * MAX_URL_CHARS),
    ],
)
def test_what_is_no_plain_url_is_refused_with_a_sentence_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_an_allowed_host_means_https_unless_it_says_otherwise() -> None:
    assert parse_origin("Shop.example.com") == "https://shop.example.com"
    assert parse_origin("shop.example.com:8443") == "https://shop.example.com:8443"
    assert parse_origin("http://shop.internal:8080") == "http://shop.internal:8080"
    with pytest.raises(ValueError, match="path"):
        parse_origin("shop.example.com/hook")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://shop.example.com/hook/7?x=y", True),
        ("https://SHOP.example.com:443/", True),
        ("http://shop.example.com/hook", False),  # not encrypted
        ("https://shop.example.com:8443/", False),  # another port
        ("https://shop.example.com.evil.example/", False),
        ("https://evil.example/?https://shop.example.com/", False),
        ("https://shop.example.com@evil.example/", False),
        ("https://sub.shop.example.com/", False),
    ],
)
def test_a_task_may_only_point_to_the_hosts_of_the_settings(url: str, allowed: bool) -> None:
    why = why_not_allowed(url, ["shop.example.com"])
    assert (why == "") == allowed, why
    if not allowed:
        assert why.endswith(".")


def test_without_allowed_hosts_the_refusal_names_the_setting() -> None:
    assert "[webhooks] allowed_hosts" in why_not_allowed("https://shop.example.com/", [])
