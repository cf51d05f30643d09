"""What is the matter with a projectDir that leads nowhere, where its own text tells. Pure."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/")
_VARIABLE = re.compile(r"\$|%[^%/]+%")
_ESCAPE = re.compile("%2[Ff]|%5[Cc]|%20")
_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)")


def path_hint(text: str) -> str:
    """A sentence without its subject, "begins with ~, …"; "" when the text looks like any other path."""
    if _DRIVE.match(text):
        return (
            "is a path of Windows; send the path at which that folder is mounted on this machine, as in "
            "/srv/projects/flowers"
        )
    if text.startswith("\\\\"):
        return "is a Windows share; mount it on this machine and send the path where it is, as in /srv/projects/flowers"
    if scheme := _SCHEME.match(text):
        if scheme["scheme"].lower() == "file":
            return "is a URL; send the path alone, without file://"
        return (
            f"is a URL, and nothing is downloaded here; put the photos into a folder of this machine and send its path "
            f"({scheme['scheme'][:20]}:// is not read)"
        )
    if text.startswith("~"):
        return (
            "begins with ~, which only a shell replaces by a home folder; send the whole path, as in /home/anna/photos"
        )
    if _ESCAPE.search(text):
        return "is percent-encoded once too often; encode it once"
    if _VARIABLE.match(text):
        return "begins with a variable, which only a shell replaces; send the whole path"
    if "\\" in text:
        return "has backslashes, which are part of a name here; send the path with /, as in anna/flowers"
    return ""
