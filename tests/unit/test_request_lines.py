"""Log lines about requests: no token, no query, no flood."""

from __future__ import annotations

import logging

import pytest

from web.door.listener import caller_of
from web.door.request_lines import FloodFilter, TokenlessFormatter, shown


@pytest.mark.parametrize(
    ("uri", "line"),
    [
        ("/", "/"),
        ("/?taskId=abc123", "/?taskId=abc123"),
        ("/?taskId=abc&token=secret", "/?…"),
        ("/?token=secret", "/?…"),
        ("/v1/tasks/tfm_0123456789abcdef", "/v1/tasks/tfm_…"),
        ("/v1/tasks/%74fm_0123456789abcdef", "/v1/tasks/tfm_…"),
        ("/?taskId=tfm_0123456789abcdef", "/?…"),
    ],
)
def test_they_show_no_query_but_the_task_id(uri: str, line: str) -> None:
    assert shown(uri) == line


def test_a_token_in_any_record_is_cut_short() -> None:
    formatter = TokenlessFormatter(logging.Formatter("%(levelname)s %(message)s"))
    record = logging.LogRecord("tornado.general", logging.INFO, "", 0, "bad %r", ("tfm_0123456789abcdef\x00",), None)
    assert formatter.format(record) == "INFO bad 'tfm_…\\x00'"


def record_at(second: float, message: str = "status=%d", level: int = logging.INFO) -> logging.LogRecord:
    record = logging.LogRecord("web", level, "", 0, message, (400,), None)
    record.created = second
    return record


def test_a_flood_of_one_kind_is_counted_and_drowns_no_other() -> None:
    flood = FloodFilter(most_per_s=3)
    assert [flood.filter(record_at(7.0 + n / 10)) for n in range(5)] == [True, True, True, False, False]
    assert flood.filter(record_at(7.6, "other=%d"))
    assert flood.filter(record_at(7.7, level=logging.ERROR))
    later = record_at(8.0)
    assert flood.filter(later)
    assert later.getMessage() == "status=400 left_out=2"
    assert flood.filter(record_at(8.1))


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_one_caller_is_an_address_or_a_network_that_one_customer_has(address: str, caller: str) -> None:
    assert caller_of(address) == caller
