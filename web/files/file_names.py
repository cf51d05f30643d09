"""The name under which a browser saves a file. Pure."""

from __future__ import annotations

import re
import urllib.parse

from protocol.text import as_utf8

MOST_NAME_CHARS = 120
#: Windows refuses these in names, and "/" would lead into a folder.
_REFUSED = re.compile(r'[/\\:*?"<>|]')


def file_name(text: str) -> str:
    """A text that somebody has chosen, as the name of a file. It has no path, no hidden characters, and an end."""
    printable = "".join(c if c.isprintable() else "_" for c in as_utf8(text))
    return _REFUSED.sub("_", printable).strip(". ")[:MOST_NAME_CHARS] or "_"


def attachment(name: str) -> str:
    """The Content-Disposition by which a browser saves an answer under that name (RFC 6266)."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)
    if plain == name:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{urllib.parse.quote(name, safe='')}"
