"""Explain what is wrong with a projectDir that does not exist, if its text shows it. Pure."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/")
_VARIABLE = re.compile(r"\$|%[^%/]+%")
_ESCAPE = re.compile("%2[Ff]|%5[Cc]|%20")
_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)")


def path_hint(text: str) -> str:
    """Return the explanation without its subject, such as "begins with ~, …". "" if the text looks like a path."""
    if _DRIVE.match(text):
        return (
            "is a Windows path; send the path at which that folder is mounted on this machine, such as "
            "/srv/projects/flowers"
        )
    if text.startswith("\\\\"):
        return "is a Windows share; mount it on this machine and send that path, such as /srv/projects/flowers"
    if scheme := _SCHEME.match(text):
        if scheme["scheme"].lower() == "file":
            return "is a URL; send the path alone, without file://"
        return (
            f"is a URL, and nothing is downloaded from it; put the photos into a folder of this machine and send "
            f"its path ({scheme['scheme'][:20]}:// is not supported)"
        )
    if text.startswith("~"):
        return (
            "begins with ~, which only a shell replaces by a home folder; send the full path, such as /home/anna/photos"
        )
    if _ESCAPE.search(text):
        return "is percent-encoded once too often; encode it once"
    if _VARIABLE.match(text):
        return "begins with a variable, which only a shell replaces; send the full path"
    if "\\" in text:
        return "has backslashes, which this system takes as part of a name; send the path with /, such as anna/flowers"
    return ""
