"""What both clients pass to httpx: the address of the server, and requests in httpx's form."""

from __future__ import annotations

from typing import Any

import httpx

from tfmodel_client.steps import Answer, ConnectionLostError, Request
from tfmodel_client.version import VERSION

DEFAULT_SERVER = "http://127.0.0.1:2333"
DEFAULT_TIMEOUT_S = 30.0


def http_settings(server: str, token: str, timeout_s: float) -> dict[str, Any]:
    """The arguments of httpx.Client and httpx.AsyncClient. Raises ValueError for a bad address or token."""
    try:
        address = httpx.URL(server)
    except httpx.InvalidURL as error:
        raise ValueError(
            f"server={server!r} is not an address ({error}); write one such as {DEFAULT_SERVER!r}."
        ) from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"server={server!r} is not the address of a server; write one such as {DEFAULT_SERVER!r}.")
    # A body must come as it is: a download is resumed at a byte of the file, and its hash is that of the file.
    headers = {"User-Agent": f"tfmodel-client/{VERSION}", "Accept-Encoding": "identity"}
    if token:
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ValueError("token holds a space, a line break or a character beyond ASCII; pass the token alone.")
        headers["Authorization"] = f"Bearer {token}"
    return {"base_url": address, "headers": headers, "timeout": timeout_s}


def built(http: httpx.Client | httpx.AsyncClient, request: Request) -> httpx.Request:
    timeout = http.timeout.as_dict()
    if request.silence_s is not None:
        timeout["read"] = request.silence_s
    return http.build_request(
        request.method,
        request.path,
        params=request.query or None,
        headers=dict(request.headers),
        content=request.body or None,
        files=[("picture", file) for file in request.files] or None,
        timeout=httpx.Timeout(**timeout),
    )


def answer_of(response: httpx.Response, body: bytes = b"") -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def lost(http: httpx.Client | httpx.AsyncClient, error: httpx.TransportError) -> ConnectionLostError:
    server = str(http.base_url).rstrip("/")
    reason = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return ConnectionLostError(f"{server} can't be reached ({reason}); is it running, and is this its address?")
    return ConnectionLostError(f"{server} has not answered ({reason}); it may be busy or restarting.")
