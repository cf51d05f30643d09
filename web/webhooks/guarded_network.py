"""Opens the connections of webhooks. The address is checked at the moment of connecting, not when a URL is written.

A host name can resolve to another address at each look-up (DNS rebinding). So the name is resolved here, once, every
address that it has is checked, and the connection is opened to a checked address and not to the name. TLS still checks
the certificate for the name.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable

import httpcore

from conf.webhook_addresses import AddressRules

#: Returns the addresses of a host.
Resolve = Callable[[str, int], Awaitable[list[str]]]
#: Look-ups that are under way at the same time. A name server that hangs occupies one thread for each.
MOST_LOOKUPS = 32


class ForbiddenAddressError(Exception):
    """The host has an address that webhooks must not reach."""


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    def __init__(self, rules: AddressRules, resolve: Resolve) -> None:
        self._rules = rules
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is that of httpcore
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises ForbiddenAddressError, or httpcore.ConnectError if nobody can be reached."""
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"The name {host} cannot be resolved ({error.strerror or error}).") from error
        for address in addresses:
            if why := self._rules.why_refused(host, address):
                raise ForbiddenAddressError(why)
        failure: Exception = httpcore.ConnectError(f"The name {host} has no address.")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is that of httpcore
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise ForbiddenAddressError("Webhooks go to no Unix socket.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SystemResolver:
    """Resolves names as the system does. Create it inside a running event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._free = asyncio.Semaphore(MOST_LOOKUPS)

    async def __call__(self, host: str, port: int) -> list[str]:
        """Raises OSError. The thread is a daemon, so a name server that hangs does not hold up the end of the process.

        A caller that no longer waits still holds its place until the thread is done.
        """
        await self._free.acquire()
        answer: asyncio.Future[list[str]] = self._loop.create_future()
        threading.Thread(target=self._look_up, args=(host, port, answer), name="webhook-dns", daemon=True).start()
        return await answer

    def _look_up(self, host: str, port: int, answer: asyncio.Future[list[str]]) -> None:
        """Runs in a thread."""
        found: list[str] = []
        failure: Exception | None = None
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(info[4][0]) for info in infos))
        except (OSError, UnicodeError) as error:
            failure = error if isinstance(error, OSError) else OSError(str(error))
        with contextlib.suppress(RuntimeError):  # The loop may have been closed meanwhile.
            self._loop.call_soon_threadsafe(self._done, answer, found, failure)

    def _done(self, answer: asyncio.Future[list[str]], found: list[str], failure: Exception | None) -> None:
        self._free.release()
        if answer.done():
            return
        if failure is not None:
            answer.set_exception(failure)
        else:
            answer.set_result(found)
