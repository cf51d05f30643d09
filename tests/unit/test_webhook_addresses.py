"""Which addresses webhooks may reach. Every form of an address that is not public is refused unless it is named."""

from __future__ import annotations

import ipaddress

import pytest

from conf.webhook_addresses import AddressRules, is_public

#: Addresses of this machine, of private networks, and what else is not on the public Internet.
NOT_PUBLIC_V4 = (
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.127.255.254", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1"),
    *("203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.88.99.1"),
)
NOT_PUBLIC_V6 = (
    *("::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1"),
    *("2001:db8::1", "2001::1", "2001:10::1", "100::1", "64:ff9b:1::a00:1", "3fff::1", "5f00::1", "4000::1"),
)
PUBLIC = ("93.184.216.34", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1", "2a00:1450:4001::1")


def forms_of(address: str) -> list[str]:
    """The IPv6 addresses that stand for an IPv4 address: mapped, NAT64 and 6to4."""
    number = int(ipaddress.IPv4Address(address))
    prefixes = (("::ffff:0:0", 0), ("64:ff9b::", 0), ("2002::", 80))
    return [str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | number << up)) for prefix, up in prefixes]


@pytest.mark.door(23)
@pytest.mark.parametrize("address", [*NOT_PUBLIC_V4, *NOT_PUBLIC_V6])
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    why = AddressRules([]).why_refused("shop.example.com", address)
    assert address in why
    assert "allowed_private" in why


@pytest.mark.door(23)
@pytest.mark.parametrize("address", [form for each in NOT_PUBLIC_V4 for form in forms_of(each)])
def test_so_is_every_ipv6_address_that_stands_for_one(address: str) -> None:
    assert AddressRules([]).why_refused("shop.example.com", address)


@pytest.mark.parametrize("address", [*PUBLIC, *forms_of("93.184.216.34")])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert AddressRules([]).why_refused("shop.example.com", address) == ""


def test_what_is_named_is_allowed_and_nothing_beside_it() -> None:
    rules = AddressRules(["10.1.0.0/16", "127.0.0.1", "backend.internal", "[fd00::1]"])
    for host, address in (
        ("shop.example.com", "10.1.2.3"),
        ("shop.example.com", "::ffff:10.1.2.3"),
        ("127.0.0.1", "127.0.0.1"),
        ("Backend.internal.", "192.168.7.7"),
        ("shop.example.com", "fd00::1"),
    ):
        assert rules.why_refused(host, address) == "", (host, address)
    for host, address in (
        ("shop.example.com", "10.2.0.1"),
        ("shop.example.com", "127.0.0.2"),
        ("shop.example.com", "192.168.7.7"),
        ("evil.backend.internal", "192.168.7.7"),
        ("shop.example.com", "fd00::2"),
    ):
        assert rules.why_refused(host, address), (host, address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "::ffff:0.0.0.0"])
def test_nobody_and_everybody_cannot_be_named(address: str) -> None:
    assert AddressRules(["0.0.0.0/0", "::/0", "shop.example.com"]).why_refused("shop.example.com", address)


def test_what_is_no_address_is_refused() -> None:
    assert AddressRules(["shop.example.com"]).why_refused("shop.example.com", "not-an-address")
