"""The address at which other machines reach this one."""

from __future__ import annotations

import ipaddress
import socket

import psutil

#: Addresses of no host, which documents use as examples. Asking for the way there sends nothing.
SOMEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine reach the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def own_addresses() -> list[str]:
    """The addresses of this machine that others may reach, the one towards the rest of the world first."""
    found = [address for family in SOMEWHERE if (address := _address_towards(family))]
    for addresses in psutil.net_if_addrs().values():
        found += [each.address for each in addresses if each.family in SOMEWHERE]
    return [address for address in dict.fromkeys(found) if "%" not in address and not is_loopback(address)]


def _address_towards(family: socket.AddressFamily) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((SOMEWHERE[family], 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""
