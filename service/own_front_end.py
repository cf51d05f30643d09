"""Calls to the front-end of this machine that need no token. The settings say where it listens."""

from __future__ import annotations

import email.utils
import json
import urllib.error
import urllib.request
from typing import Any

from conf.web_settings import WebSettings

#: A front-end that runs answers these calls at once.
TIMEOUT_S = 5.0


def address_of(web: WebSettings) -> str:
    return f"http://{_reachable(web.host)}:{web.port}"


def get_json(web: WebSettings, path: str, timeout_s: float = TIMEOUT_S) -> tuple[int, dict[str, Any]]:
    """Return status and body of a GET to our own front-end. The status is 0 if it does not answer."""
    try:
        with _opened(web, path, timeout_s) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            return error.code, json.load(error)
        except ValueError:
            return error.code, {}
    except (OSError, ValueError):
        return 0, {}


def server_time_s(web: WebSettings) -> float | None:
    """The time that our own front-end has, in whole seconds since the epoch. None if it does not answer."""
    try:
        with _opened(web, "/healthz") as answer:
            return email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp()
    except (OSError, ValueError, TypeError):
        return None


def _opened(web: WebSettings, path: str, timeout_s: float = TIMEOUT_S) -> Any:
    """The answer to a GET. Calls to this machine must not go through a proxy from the environment."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(f"{address_of(web)}{path}", timeout=timeout_s)


def _reachable(host: str) -> str:
    if host in ("0.0.0.0", ""):
        return "127.0.0.1"
    host = "::1" if host == "::" else host
    return f"[{host}]" if ":" in host else host
