"""Which requests are refused because of their headers alone: Host, origin and the length of the body. Pure.

A web page in a browser on this machine can send requests to us, but it cannot forge the headers that the browser adds.
Origin and Sec-Fetch-Site say which site the request comes from. Host is the name in the URL, so checking it stops DNS
rebinding, where the page's own host name is made to point to this machine. Back-ends do not send Origin or
Sec-Fetch-Site.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from tornado.httputil import HTTPHeaders

from web.answers.refusal import Refusal
from web.door.body_limits import BodyLimit

#: The value of a Host header. The port may be empty (RFC 9110, section 4.2.3).
_HOST = re.compile(r"(?P<name>[a-z0-9._~-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{0,5}))?")
_LENGTH = re.compile(r"[0-9]{1,18}")
_LIST_SEPARATOR = re.compile(r"[ \t]*,[ \t]*")
DEFAULT_PORTS = {"http": "80", "https": "443"}
#: Listening addresses that mean all addresses of this machine. They are no names for a URL.
ANY_ADDRESS = ("0.0.0.0", "::", "*", "")
#: The verdicts on hosts are cached. The cache is bounded, because strangers may send any number of hosts.
MAX_REMEMBERED_HOSTS = 1000
#: The values of Sec-Fetch-Site for requests of our own pages, and for an address that a person has typed.
OWN_SITES = ("same-origin", "none")

PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
    "Access-Control-Allow-Headers": (
        "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, traceparent, Upload-Offset, X-Request-Id"
    ),
    "Access-Control-Max-Age": "600",
}
EXPOSED_HEADERS = (
    "Retry-After, WWW-Authenticate, Allow, Location, X-Request-Id, RateLimit, RateLimit-Policy, ETag, "
    "Content-Disposition, Content-Range, Upload-Offset"
)


class DoorRules:
    def __init__(self, host: str, allowed_hosts: Iterable[str], allowed_origins: Iterable[str]):
        """host: the address that the server listens on. The other parameters are the settings of the same names."""
        names = {*allowed_hosts, *(() if host in ANY_ADDRESS else (host,))}
        self._names = {_canonical(name if name.startswith("[") or ":" not in name else f"[{name}]") for name in names}
        self._origins = set(allowed_origins)
        self._remembered: dict[str, bool] = {}

    def check(self, headers: HTTPHeaders, version: str) -> None:
        """Raise Refusal if a request must not be read any further because of its Host or origin.

        version: such as "HTTP/1.1".
        """
        self._check_host(headers.get_list("Host"), version)
        origins, sites = headers.get_list("Origin"), headers.get_list("Sec-Fetch-Site")
        if origins or sites:
            self._check_origin(origins, sites, headers)

    def cors_headers(self, headers: HTTPHeaders) -> dict[str, str]:
        """Return the headers with which pages of an allowed origin may read the answer."""
        if not self._origins:
            return {}
        origins = headers.get_list("Origin")
        if len(origins) != 1 or origins[0] not in self._origins:
            return {"Vary": "Origin"}
        return {
            "Vary": "Origin",
            "Access-Control-Allow-Origin": origins[0],
            "Access-Control-Expose-Headers": EXPOSED_HEADERS,
        }

    def is_preflight(self, headers: HTTPHeaders) -> bool:
        """Whether an OPTIONS request is a preflight: a browser asks for a page of an allowed origin."""
        return "Access-Control-Request-Method" in headers and (
            "Access-Control-Allow-Origin" in self.cors_headers(headers)
        )

    def _check_host(self, hosts: list[str], version: str) -> None:
        if len(hosts) != 1:
            if not hosts and version == "HTTP/1.0":
                return  # HTTP/1.0 does not require the header, and every browser sends it.
            raise Refusal("bad_request", f"The request has {len(hosts)} Host headers; send one.")
        host = hosts[0]
        allowed = self._remembered.get(host)
        if allowed is None:
            allowed = self._remembered[host] = self._judge_host(host)
            if len(self._remembered) > MAX_REMEMBERED_HOSTS:
                self._remembered.clear()
        if not allowed:
            raise Refusal(
                "foreign_host",
                f"This server does not have the name in 'Host: {host[:100]}'; call it by a loopback address or by the "
                "address that it listens on, or add the name (without a port) to [web] allowed_hosts in "
                "conf/tfmodel.toml.",
            )

    def _judge_host(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None or int(found["port"] or 0) > 65535:
            raise Refusal(
                "bad_request", f"'Host: {host[:100]}' is not a host name or address; send host and port as in the URL."
            )
        name = _canonical(found["name"])
        return name in self._names or _is_loopback(name)

    def _check_origin(self, origins: list[str], sites: list[str], headers: HTTPHeaders) -> None:
        if len(origins) == 1 and origins[0] in self._origins:
            return
        if self.is_own(headers):
            return
        came = f"Origin: {origins[0]}" if origins else f"Sec-Fetch-Site: {sites[0]}"
        raise Refusal(
            "cross_site",
            f"A browser sent this for a page of another site ('{came[:200]}'), and such pages may not call this "
            "server; let your back-end call it, or add the origin of the page to [web] allowed_origins in "
            "conf/tfmodel.toml.",
        )

    def is_own(self, headers: HTTPHeaders) -> bool:
        """Whether a browser would send this request for a page of this server. Other programs send neither header."""
        origins, sites = headers.get_list("Origin"), headers.get_list("Sec-Fetch-Site")
        own = not origins or (len(origins) == 1 and _is_own(origins[0], headers.get("Host", "")))
        return own and all(site in OWN_SITES for site in sites)

    def check_length(self, headers: HTTPHeaders, limit: BodyLimit) -> None:
        """Raise Refusal if it is unclear where the body ends, or if it is longer than the limit."""
        if "Content-Length" not in headers and "Transfer-Encoding" not in headers:
            return
        lengths, codings = headers.get_list("Content-Length"), headers.get_list("Transfer-Encoding")
        if codings:
            if lengths:
                raise Refusal("bad_request", "The request has both Content-Length and Transfer-Encoding; send one.")
            if len(codings) > 1 or codings[0].lower() != "chunked":
                came = ", ".join(codings)[:80]
                raise Refusal("bad_request", f"'Transfer-Encoding: {came}' is not supported; send the body chunked.")
            return
        # HTTP allows the header to be repeated with the same value.
        different = set(_LIST_SEPARATOR.split(",".join(lengths)))
        length = different.pop()
        if different or not _LENGTH.fullmatch(length):
            came = ", ".join(lengths)[:40]
            raise Refusal("bad_request", f"Content-Length is {came!r}; send one whole number of bytes.")
        if int(length) > limit.most_bytes:
            raise limit.refusal(int(length))


def _canonical(name: str) -> str:
    """Return the only spelling of a host: lower case, no brackets, no trailing dot, addresses as Python writes them."""
    name = name.lower()
    if name.startswith("["):
        try:
            return str(ipaddress.IPv6Address(name[1:-1]))
        except ValueError:
            return name
    return name.removesuffix(".")


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _is_own(origin: str, host: str) -> bool:
    """Whether the origin is this server. The scheme may differ, because a proxy in front of us may use https."""
    scheme, separator, place = origin.partition("://")
    if not separator or scheme not in DEFAULT_PORTS:
        return False
    port = f":{DEFAULT_PORTS[scheme]}"
    return place.lower().removesuffix(port) == host.lower().removesuffix(port)
