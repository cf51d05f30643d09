"""The URLs to which webhooks are sent: how they must look, and to which hosts a task's own URL may point. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

#: The longest URL of a webhook.
MAX_URL_CHARS = 2000
DEFAULT_PORTS = {"http": 80, "https": 443}
#: One pattern reads the whole URL, so that no two parsers can disagree about which host it names.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?",
    re.IGNORECASE | re.ASCII,
)
HOW_A_URL_LOOKS = (
    "write it as https://host/path, in ASCII, without a user name, password, fragment or blanks (a path or host in "
    "other letters in its percent-encoded or punycode form)"
)


class WebhookUrl(msgspec.Struct, frozen=True):
    """A URL in parts. host: in small letters; an IPv6 address without its brackets. target: path and query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> str:
        """Scheme, host and port. The rest of a URL may hold a secret, so only this much of it is shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"


def parse_url(text: str) -> WebhookUrl:
    """Read the URL of a webhook. Raises ValueError, with a sentence on how it must look that does not repeat it."""
    if len(text) > MAX_URL_CHARS:
        raise ValueError(f"It has {len(text)} characters and at most {MAX_URL_CHARS} are allowed.")
    found = _URL.fullmatch(text)
    scheme = found["scheme"].lower() if found else ""
    port = int(found["port"] or DEFAULT_PORTS[scheme]) if found else 0
    if found is None or not 1 <= port <= 65535:
        raise ValueError(f"It is not a URL that can be called; {HOW_A_URL_LOOKS}.")
    target = (found["path"] or "/") + (found["query"] or "")
    return WebhookUrl(scheme, found["host"].lower().strip("[]"), port, target)


def parse_origin(text: str) -> str:
    """The origin that an entry of `allowed_hosts` stands for: "host" and "host:port" mean https.

    Raises ValueError with a sentence.
    """
    url = parse_url(text if "://" in text else f"https://{text}")
    if url.target != "/":
        raise ValueError("It has a path; name only a host, host:port, or http://host:port.")
    return url.origin


def why_not_allowed(url: str, allowed_hosts: Iterable[str]) -> str:
    """Why a task may not name this URL as its webhook, as a sentence; "" if it may.

    allowed_hosts: the setting of this name. Its entries have been checked.
    """
    origins = {parse_origin(entry) for entry in allowed_hosts}
    if not origins:
        return (
            "webhook was given, but this server sends no webhooks of single tasks; leave it out, or let the operator "
            "name its host in [webhooks] allowed_hosts."
        )
    try:
        origin = parse_url(url).origin
    except ValueError as error:
        return f"webhook is not allowed. {error}"
    if origin not in origins:
        return (
            f"webhook points to {origin[:200]}, which is not in [webhooks] allowed_hosts; use a host that is, or let "
            "the operator add it."
        )
    return ""
