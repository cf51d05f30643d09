"""Makes one attempt to deliver a webhook. Whatever the receiver does, the attempt ends in time and as an Outcome."""

from __future__ import annotations

import asyncio
import email.utils
import functools
import ssl
import time
from collections.abc import Callable, Sequence

import certifi
import httpcore

from web.webhooks.guarded_network import ForbiddenAddressError, GuardedNetwork
from web.webhooks.retries import Outcome
from web.webhooks.webhook_message import WebhookMessage, headers_of

#: What is read of an answer's body.
MOST_ANSWER_BYTES = 2048
SHOWN_ANSWER_CHARS = 300
#: Connections that stay open for the next webhook, and for how long.
KEPT_CONNECTIONS, KEEP_ALIVE_S = 32, 15.0


class Sender:
    """Create it inside a running event loop."""

    def __init__(
        self, network: GuardedNetwork, keys: Callable[[], Sequence[bytes]], timeout_s: float, connections: int
    ) -> None:
        """keys: those of the secrets, the newest first. timeout_s: for a whole attempt."""
        self._keys = keys
        self._timeout_s = timeout_s
        self._network = network
        self._connections = connections

    def open(self) -> None:
        """Read the certificates now. That takes a moment, which the first webhook would have to wait for otherwise."""
        _ = self._pool

    @functools.cached_property
    def _pool(self) -> httpcore.AsyncConnectionPool:
        # httpcore and not httpx: it takes a network of ours, and knows neither redirects nor proxies from the
        # environment, nor does it unpack compressed answers.
        return httpcore.AsyncConnectionPool(
            ssl_context=_trusting_system_and_certifi(),
            max_connections=self._connections,
            max_keepalive_connections=KEPT_CONNECTIONS,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=self._network,
        )

    async def close(self) -> None:
        if "_pool" in self.__dict__:
            await self._pool.aclose()

    async def send(self, message: WebhookMessage) -> Outcome:
        began_s = time.monotonic()
        status, answer, retry_after_s, error = 0, b"", 0.0, ""
        try:
            async with asyncio.timeout(self._timeout_s):
                headers = headers_of(message, self._keys(), time.time())
                async with self._pool.stream("POST", message.url, headers=headers, content=message.body) as response:
                    status, retry_after_s = response.status, _retry_after_s(response)
                    async for part in response.aiter_stream():
                        answer += part[: MOST_ANSWER_BYTES - len(answer)]
                        if len(answer) >= MOST_ANSWER_BYTES:
                            break
        except TimeoutError:
            error = f"The receiver did not answer within {self._timeout_s:g} s."
        except ForbiddenAddressError as forbidden:
            error = str(forbidden)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError) as trouble:
            error = f"The receiver cannot be reached ({type(trouble).__name__}: {str(trouble)[:200]})."
        # Once the head of the answer is here, what becomes of its body changes nothing.
        shown = answer.decode("utf-8", "replace")[:SHOWN_ANSWER_CHARS]
        return Outcome(status, _error(status) if status else error, retry_after_s, time.monotonic() - began_s, shown)


def _error(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"The receiver answered {status}; redirects are not followed, so enter the new URL."
    return f"The receiver answered {status}; it must answer with a status from 200 to 299."


def _retry_after_s(response: httpcore.Response) -> float:
    """What the header Retry-After asks for, as seconds or as a date; 0.0 without one or if it cannot be read."""
    text = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"").decode("latin-1")
    if text.strip().isdecimal():
        return float(text[:10])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _trusting_system_and_certifi() -> ssl.SSLContext:
    """Trusts the certificates of the system, and those of certifi for a system without any."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
