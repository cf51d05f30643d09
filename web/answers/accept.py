"""What a caller accepts: the headers Accept and Accept-Encoding (RFC 9110, section 12.5). Pure."""

from __future__ import annotations

import re

#: An item of the list: what is accepted, and its parameters. A comma inside of quotes does not end an item.
_ITEM = re.compile(r"""\s*([^\s,;"]+)((?:"(?:[^"\\]|\\.)*"|[^,"])*)""")
_QUALITY = re.compile(r";\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*(?:;|\Z)", re.IGNORECASE)


def qualities(header: str) -> dict[str, float]:
    """How much each item is wanted, from 0.0 for "not at all" to 1.0, by its name in small letters."""
    found: dict[str, float] = {}
    for name, parameters in _ITEM.findall(header):
        quality = _QUALITY.search(parameters)
        found[name.lower()] = float(quality[1]) if quality else 1.0
    return found


def prefers(header: str, media_type: str, usual: str) -> bool:
    """Whether the caller names `media_type` and likes it at least as much as the usual type of the answer."""
    wanted = qualities(header)
    quality = wanted.get(media_type, 0.0)
    ranges = (usual, f"{usual.partition('/')[0]}/*", "*/*")
    return quality > 0.0 and quality >= next((wanted[name] for name in ranges if name in wanted), 0.0)


def takes_gzip(header: str) -> bool:
    """Whether Accept-Encoding allows gzip."""
    wanted = qualities(header)
    return wanted.get("gzip", wanted.get("*", 0.0)) > 0.0
