"""A front-end in the test's own process, with a broker that knows one task, and exchanges as they go over the line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import msgspec

from conf.settings import load
from protocol import messages as m
from protocol.task import Task, TaskSpec, TaskState
from tests.free_ports import free_ports
from web.app import make_server, make_services
from web.broker_link.broker_pulse import BrokerPulse
from web.broker_link.broker_requests import BrokerRequests
from web.broker_link.task_cache import TaskCache
from web.door.listener import Listener
from web.folder_check import FolderChecks

FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


def task(task_id: str, state: TaskState) -> Task:
    return Task(TaskSpec(task_id, "user", "project", "dir", "/dir", "classification"), state)


class OneTaskBroker:
    """Answers every request with one task, as the broker does for one that has left the cache."""

    def __init__(self, known: Task) -> None:
        self._known = known

    async def request(self, make: Callable[[int], m.WebToBroker]) -> m.BrokerToWeb:
        return m.TaskReply(1, 99, self._known)


@contextlib.asynccontextmanager
async def front_end(
    broker: OneTaskBroker, cache: TaskCache, checks: FolderChecks | None = None, **changes: str
) -> AsyncIterator[int]:
    """Its port. checks: in place of its own. changes: TFMODEL_ variables without their prefix."""
    (port,) = free_ports(1)
    environ = {"WEB_PORT": str(port), "HOME": "/nowhere", **changes}
    settings = load({f"TFMODEL_{name}": value for name, value in environ.items()})
    services = make_services(settings, cast(BrokerRequests, broker), BrokerPulse(), cache)
    server = make_server(msgspec.structs.replace(services, checks=checks) if checks else services)
    listener = Listener(server, settings.web)
    listener.start()
    try:
        yield port
    finally:
        listener.close()
        await server.close_all_connections()


async def exchange(port: int, request: str) -> tuple[int, Any]:
    """Status and JSON body of the answer to a request as it goes over the line; status 0 for no answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")]
        length = next(int(value) for name, _, value in lines if name.lower() == "content-length")
        return int(head.split()[1]), msgspec.json.decode(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        return 0, None
    finally:
        writer.close()
