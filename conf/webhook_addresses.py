"""Which addresses webhooks may reach: public ones, and those that [webhooks] allowed_private names. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

#: From the IANA registry of special-purpose addresses: everything that is not on the public Internet.
_NOT_PUBLIC_V4 = [
    ipaddress.IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
]
#: Public IPv6 addresses begin with the bits 001. Of these, the networks below are not public: protocol assignments
#: with Teredo, documentation, and 6to4, which is judged by the IPv4 address in it.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = [
    ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")
]
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Nobody is there, or everybody, so naming such an address allows nothing.
_NEVER = [ipaddress.ip_network(network) for network in ("0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32", "ff00::/8")]


class AddressRules:
    def __init__(self, allowed_private: Iterable[str]) -> None:
        entries = [(entry, network_of(entry)) for entry in allowed_private]
        self._networks = [network for _, network in entries if network is not None]
        self._hosts = {_plain(entry) for entry, network in entries if network is None}

    def why_refused(self, host: str, address: str) -> str:
        """Why the host must not be called at this address, as a sentence; "" if it may. host: as in the URL."""
        # A link-local address may carry the name of an interface, as fe80::1%eth0.
        found = address_of(address.partition("%")[0])
        if found is None:
            return f"{host} resolves to {address[:80]!r}, which is not an address."
        if is_public(found) or self._is_named(host, found):
            return ""
        return (
            f"{host} resolves to {address}, which is not a public address; if webhooks should go there, name the host "
            "or the address in [webhooks] allowed_private."
        )

    def _is_named(self, host: str, address: Address) -> bool:
        meant = _inner(address)
        if address == ipaddress.IPv6Address("::") or any(_holds(network, meant) for network in _NEVER):
            return False
        return _plain(host) in self._hosts or any(_holds(network, meant) for network in self._networks)


def network_of(entry: str) -> Network | None:
    """The network that an entry of allowed_private means; None if it is the name of a host."""
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def address_of(host: str) -> Address | None:
    """The address that a host is written as; None if it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    address = _inner(address)
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, NAT64 or 6to4), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address


def _holds(network: Network, address: Address) -> bool:
    return network.version == address.version and address in network


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")
