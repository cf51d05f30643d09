"""Client and AsyncClient with one interface, so that every test runs with both."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, cast

from tfmodel_client import AsyncClient, Client

KINDS = ("Client", "AsyncClient")

#: Makes a client for an address. Further arguments are those of Client.
Make = Callable[..., AbstractContextManager[Client]]


class _Awaited:
    """The methods of an AsyncClient as blocking ones, all in one event loop."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return self._iterated(method) if name in ITERATING else self._called(method)

    def _called(self, method: Any) -> Any:
        async def awaited(*words: Any, **named: Any) -> Any:
            return await method(*words, **named)

        return lambda *words, **named: self._runner.run(awaited(*words, **named))

    def _iterated(self, method: Any) -> Any:
        def items(*words: Any, **named: Any) -> Iterator[Any]:
            found = method(*words, **named)

            async def after() -> Any:
                return await anext(found, END)

            try:
                while (item := self._runner.run(after())) is not END:
                    yield item
            finally:
                self._runner.run(found.aclose())

        return items


END = object()
ITERATING = frozenset(name for name, method in vars(AsyncClient).items() if inspect.isasyncgenfunction(method))


@contextlib.contextmanager
def either_client(kind: str, address: str, **settings: Any) -> Iterator[Client]:
    """kind: one of KINDS. settings: the other arguments of the client."""
    if kind == "Client":
        with Client(address, **settings) as client:
            yield client
        return
    with asyncio.Runner() as runner:
        awaited = runner.run(_made(address, settings))
        yield cast(Client, _Awaited(awaited, runner))
        runner.run(awaited.aclose())


async def _made(address: str, settings: dict[str, Any]) -> AsyncClient:
    return AsyncClient(address, **settings)
