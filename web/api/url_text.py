"""Texts that callers send in the query of a URL."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

#: Percent-encoded, a character takes up to 12 bytes. Two such texts fit into the 32 kB that a request line and its
#: headers may have together (web/door/listener.py). A longer request is closed without an answer, because its end is
#: unknown, so a longer text has to be refused by its type.
MOST_URL_CHARS = 1024
UrlText = Annotated[str, Meta(max_length=MOST_URL_CHARS)]
