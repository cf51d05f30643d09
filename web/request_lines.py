"""Log lines about requests. What strangers put into a URL stays out of them: query strings may hold secrets."""

from __future__ import annotations

import logging
import urllib.parse

from conf.tokens import redact

log = logging.getLogger("web")

LONGEST_PATH = 200


def shown(uri: str) -> str:
    """A request's target for the log: its path and its taskId; of other fields in the query, that there are some."""
    path, _, query = uri.partition("?")
    kept = urllib.parse.unquote(path)[:LONGEST_PATH]
    if query:
        name, _, value = query.partition("=")
        kept += f"?taskId={value[:40]}" if name == "taskId" and value.isalnum() else "?…"
    return redact(kept)


def log_refused(status: int, method: str, uri: str, caller: object) -> None:
    """caller: where it came from."""
    log.info("action=web.answered status=%d method=%s path=%r from=%s", status, method, shown(uri), caller)


class TokenlessFormatter(logging.Formatter):
    """Writes records as another formatter does, with whatever looks like a token cut short.

    Tornado quotes malformed requests and headers in lines of its own.
    """

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record))


def hide_tokens() -> None:
    """Call once logging is set up."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(TokenlessFormatter(handler.formatter))
