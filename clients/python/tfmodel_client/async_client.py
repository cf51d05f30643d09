"""The client whose calls are awaited. It has the methods of `Client`, and runs under asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from types import TracebackType
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, TypeVar

import httpx

from tfmodel_client import calls
from tfmodel_client.connection import DEFAULT_SERVER, DEFAULT_TIMEOUT_S, answer_of, built, http_settings, lost
from tfmodel_client.download import download
from tfmodel_client.events import events
from tfmodel_client.pictures import task_picture, thumbnail, upload, uploads
from tfmodel_client.prediction import predict
from tfmodel_client.signatures import looks_like
from tfmodel_client.steps import Close, Ended, Give, ItemPlan, Open, Pause, Plan, Read, Send, Step, Work, advance
from tfmodel_client.task_log import log
from tfmodel_client.waiting import wait

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class _Performer(Generic[T, R]):
    """Carries out one plan."""

    def __init__(self, http: httpx.AsyncClient, plan: Generator[Step | Give[T], Any, R]) -> None:
        self._http = http
        self._plan = plan
        self._response: httpx.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def next(self) -> Give[T] | Ended[R]:
        """Carry out steps until the plan gives an item or ends."""
        outcome: object = None
        while True:
            step = advance(self._plan, outcome)
            if isinstance(step, Give | Ended):
                return step
            try:
                outcome = await self._carry_out(step)
            except httpx.TransportError as error:
                outcome = lost(self._http, error)
            except OSError as error:
                outcome = error

    async def result(self) -> R:
        """Carry out the steps of a plan that gives no items."""
        while isinstance(step := await self.next(), Give):
            pass
        return step.result

    async def end(self) -> None:
        """End the plan where it stands, and close what it has open."""
        self._plan.close()
        await self._close_response()

    async def _close_response(self) -> None:
        if self._response is not None:
            await self._response.aclose()
        self._response = self._pieces = None

    async def _carry_out(self, step: Step) -> object:
        match step:
            case Send(request):
                response = await self._http.send(built(self._http, request))
                return answer_of(response, response.content)
            case Open(request):
                await self._close_response()
                self._response = await self._http.send(built(self._http, request), stream=True, follow_redirects=True)
                self._pieces = self._response.aiter_raw()
                return answer_of(self._response)
            case Read():
                return await self._read()
            case Close():
                await self._close_response()
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Work(function):
                return await asyncio.to_thread(function)
        return None

    async def _read(self) -> bytes:
        assert self._pieces is not None  # a plan reads what it has opened
        async for piece in self._pieces:
            if piece:
                return piece
        return b""


def _call(plan: Callable[P, Plan[R]]) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, R]]:
    """The method that carries the plan out and returns its result."""

    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> R:
        performer: _Performer[NoReturn, R] = _Performer(self._http, plan(*args, **kwargs))
        try:
            return await performer.result()
        finally:
            await performer.end()

    return looks_like(plan, method, "{}")


def _items(plan: Callable[P, ItemPlan[T]]) -> Callable[Concatenate[AsyncClient, P], AsyncGenerator[T, None]]:
    """The method that carries the plan out while the caller iterates over its items."""

    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T, None]:
        performer = _Performer(self._http, plan(*args, **kwargs))
        try:
            while isinstance(step := await performer.next(), Give):
                yield step.item
        finally:
            await performer.end()

    return looks_like(plan, method, "AsyncIterator[{}]")


class AsyncClient:
    """A TFModel server. Use it as an asynchronous context manager, or close it with `aclose`.

    server: its address. token: as `python server.py token create` prints it, "" for a server without tokens.
    timeout_s: the longest time that a call waits for a connection, or for the next bytes of an answer.
    """

    def __init__(self, server: str = DEFAULT_SERVER, token: str = "", timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self._http = httpx.AsyncClient(**http_settings(server, token, timeout_s))

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.aclose()

    submit = _call(calls.submit)
    task = _call(calls.task)
    task_page = _call(calls.task_page)
    tasks = _items(calls.tasks)
    wait = _call(wait)
    events = _items(events)
    stop = _call(calls.stop)
    promote = _call(calls.promote)
    cancel = _call(calls.cancel)
    retry = _call(calls.retry)
    log = _items(log)
    epochs = _items(calls.epochs)
    artifacts = _call(calls.artifacts)
    download = _call(download)
    predict = _call(predict)
    check = _call(calls.check)
    compare = _call(calls.compare)
    project = _call(calls.project)
    corrections = _call(calls.corrections)
    correct = _call(calls.correct)
    upload = _call(upload)
    uploads = _call(uploads)
    folder = _call(calls.folder)
    thumbnail = _call(thumbnail)
    task_picture = _call(task_picture)
    workers = _call(calls.workers)
    drain = _call(calls.drain)
    undrain = _call(calls.undrain)
    queue = _call(calls.queue)
    train_types = _call(calls.train_types)
    server = _call(calls.server)
    tokens = _call(calls.tokens)
    webhooks = _call(calls.webhooks)
    send_test_webhooks = _call(calls.send_test_webhooks)
    resend = _call(calls.resend)
