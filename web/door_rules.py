"""Who may speak at all, told from a request's head alone: its Host, its origin and the length of its body. Pure.

A web page that a browser on this machine shows can send requests to us, but it cannot choose what the browser says
of it: Origin and Sec-Fetch-Site name where the request comes from, and Host is the name in the URL. The last stops DNS
rebinding, where a page's own name is made to point at us. Back-ends send neither Origin nor Sec-Fetch-Site.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from tornado.httputil import HTTPHeaders

from web.refusal import Refusal

#: Host and port as they stand in the Host header; the port may be empty (RFC 9110, section 4.2.3).
_HOST = re.compile(r"(?P<name>[a-z0-9._~-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{0,5}))?")
_LENGTH = re.compile(r"[0-9]{1,18}")
_LIST_SEPARATOR = re.compile(r"[ \t]*,[ \t]*")
DEFAULT_PORTS = {"http": "80", "https": "443"}
#: Addresses that mean "all of this machine's", which nobody can put into a URL in earnest.
ANY_ADDRESS = ("0.0.0.0", "::", "*", "")
#: Hosts that have been judged are remembered; strangers may send any number of them.
MAX_REMEMBERED_HOSTS = 1000
#: The Sec-Fetch-Site of what a page of our own sends, and of an address typed by hand.
OWN_SITES = ("same-origin", "none")

PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "600",
}
EXPOSED_HEADERS = "Retry-After, WWW-Authenticate, Allow"


class DoorRules:
    def __init__(self, host: str, allowed_hosts: Iterable[str], allowed_origins: Iterable[str], max_body_bytes: int):
        """host: the listening address. The others: the settings of these names."""
        names = {*allowed_hosts, *(() if host in ANY_ADDRESS else (host,))}
        self._names = {_canonical(name if name.startswith("[") or ":" not in name else f"[{name}]") for name in names}
        self._origins = set(allowed_origins)
        self._max_body_bytes = max_body_bytes
        self._remembered: dict[str, bool] = {}

    def check(self, headers: HTTPHeaders, version: str) -> None:
        """Refusal when a request with this head is not to be looked at any further. version: "HTTP/1.1"."""
        self._check_host(headers.get_list("Host"), version)
        origins, sites = headers.get_list("Origin"), headers.get_list("Sec-Fetch-Site")
        if origins or sites:
            self._check_origin(origins, sites, headers)
        if "Content-Length" in headers or "Transfer-Encoding" in headers:
            self._check_length(headers)

    def cors_headers(self, headers: HTTPHeaders) -> dict[str, str]:
        """What the answer to this request says, so that the pages of allowed origins may read it."""
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
        """Whether an OPTIONS request is a browser's, which asks if a page of an allowed origin may send something."""
        return "Access-Control-Request-Method" in headers and (
            "Access-Control-Allow-Origin" in self.cors_headers(headers)
        )

    def too_large(self, length: int) -> Refusal:
        return Refusal(
            "body_too_large",
            f"The body has {length} bytes or more and the limit is {self._max_body_bytes} ([web] max_body_bytes); "
            "post the folder's path, not the photos.",
        )

    def _check_host(self, hosts: list[str], version: str) -> None:
        if len(hosts) != 1:
            if not hosts and version == "HTTP/1.0":
                return  # HTTP/1.0 has no such header, and no browser leaves it out.
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
                f"This server does not answer to the name in 'Host: {host[:100]}'; call it by a loopback address or "
                "by the address that it listens on, or add the name (without a port) to [web] allowed_hosts in "
                "conf/tfmodel.toml.",
            )

    def _judge_host(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None or int(found["port"] or 0) > 65535:
            raise Refusal(
                "bad_request", f"'Host: {host[:100]}' is not a host with or without a port; send one as in the URL."
            )
        name = _canonical(found["name"])
        return name in self._names or _is_loopback(name)

    def _check_origin(self, origins: list[str], sites: list[str], headers: HTTPHeaders) -> None:
        if len(origins) == 1 and origins[0] in self._origins:
            return
        own = not origins or (len(origins) == 1 and _is_own(origins[0], headers.get("Host", "")))
        if own and all(site in OWN_SITES for site in sites):
            return
        came = f"Origin: {origins[0]}" if origins else f"Sec-Fetch-Site: {sites[0]}"
        raise Refusal(
            "cross_site",
            f"A browser sent this for a page of another site ('{came[:200]}'), which may not call this server; let "
            "your back-end call it, or add the page's origin to [web] allowed_origins in conf/tfmodel.toml.",
        )

    def _check_length(self, headers: HTTPHeaders) -> None:
        lengths, codings = headers.get_list("Content-Length"), headers.get_list("Transfer-Encoding")
        if codings:
            if lengths:
                raise Refusal("bad_request", "The request has both Content-Length and Transfer-Encoding; send one.")
            if len(codings) > 1 or codings[0].lower() != "chunked":
                came = ", ".join(codings)[:80]
                raise Refusal("bad_request", f"'Transfer-Encoding: {came}' is not read here; send the body chunked.")
            return
        # Given twice alike it counts once, as HTTP allows.
        different = set(_LIST_SEPARATOR.split(",".join(lengths)))
        length = different.pop()
        if different or not _LENGTH.fullmatch(length):
            came = ", ".join(lengths)[:40]
            raise Refusal("bad_request", f"Content-Length is {came!r}; it has to be one whole number of bytes.")
        if int(length) > self._max_body_bytes:
            raise self.too_large(int(length))


def _canonical(name: str) -> str:
    """One spelling of a host: small letters, no trailing dot, addresses as Python writes them, without brackets."""
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
    """Whether the origin is this server as the browser knows it. A proxy may speak https in front of us."""
    scheme, separator, place = origin.partition("://")
    if not separator or scheme not in DEFAULT_PORTS:
        return False
    port = f":{DEFAULT_PORTS[scheme]}"
    return place.lower().removesuffix(port) == host.lower().removesuffix(port)
