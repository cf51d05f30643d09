"""Log lines about requests. They omit query strings, which may contain secrets, and cut tokens."""

from __future__ import annotations

import logging
import urllib.parse
from collections import Counter

from conf.tokens import redact

log = logging.getLogger("web")

LONGEST_PATH = 200
#: The most lines per second that differ only in their values.
MOST_LINES_PER_S = 50


def shown(uri: str) -> str:
    """Return the URL for the log: its path and its taskId. "…" stands for any other query."""
    path, _, query = uri.partition("?")
    kept = urllib.parse.unquote(path)[:LONGEST_PATH]
    if query:
        name, _, value = query.partition("=")
        kept += f"?taskId={value[:40]}" if name == "taskId" and value.isalnum() else "?…"
    return redact(kept)


def log_refused(status: int, method: str, uri: str, caller: object) -> None:
    """Log a refused request. caller: the address that it came from."""
    log.info("action=web.answered status=%d method=%s path=%r from=%s", status, method, shown(uri), caller)


class TokenlessFormatter(logging.Formatter):
    """Formats records like another formatter, and cuts everything that looks like a token.

    This covers Tornado's own lines too, which quote malformed requests and headers.
    """

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return redact(self._inner.format(record))


class FloodFilter(logging.Filter):
    """Limits the lines of each kind per second, so that strangers cannot fill the disk.

    The first line of a kind in a later second says how many were left out.
    """

    def __init__(self, most_per_s: int = MOST_LINES_PER_S) -> None:
        super().__init__()
        self._most_per_s = most_per_s
        self._second = 0
        self._counts: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            return True
        kind = str(record.msg)
        if int(record.created) != self._second:
            self._second = int(record.created)
            self._counts.clear()
        self._counts[kind] += 1
        if self._counts[kind] > self._most_per_s:
            self._left_out[kind] += 1
            return False
        if (left_out := self._left_out.pop(kind, 0)) and isinstance(record.args, tuple):
            record.msg, record.args = f"{kind} left_out=%d", (*record.args, left_out)
        return True


def guard_logs() -> None:
    """Keep tokens and floods of lines out of the log. Call this after logging has been set up."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(TokenlessFormatter(handler.formatter))
        handler.addFilter(FloodFilter())
