"""A front-end that subscribes hears at once that the broker is there, and not only when the next tick is due."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from broker import shell as shell_file
from broker.core import Core
from broker.core_settings import CoreSettings
from broker.endpoints import bind_sockets
from broker.publisher import SUBSCRIBED_TO_ALL
from broker.tally import Tally
from conf.endpoints import connect_endpoints
from conf.settings import load
from protocol import messages as m
from protocol import wire
from tests.socket.served_shell import served_shell
from tests.waiting import TIMEOUT_S

TIMEOUT_MS = int(TIMEOUT_S * 1000)


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where a broker publishes that ticks by itself only once."""
    monkeypatch.setattr(shell_file, "TICK_INTERVAL_S", 10 * TIMEOUT_S)
    settings = load({"TFMODEL_HOME": str(tmp_path)})
    (endpoints,) = connect_endpoints(settings)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    tally = Tally()
    sockets = bind_sockets(context, settings, tally)
    try:
        with served_shell(Core(CoreSettings()), sockets, tmp_path, tally):
            yield endpoints.publish
    finally:
        context.destroy(linger=0)


@pytest.fixture
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    """Of the subscribers."""
    with zmq.Context() as context:
        yield context
        context.destroy(linger=0)


def hear_tick(subscriber: zmq.Socket[bytes]) -> None:
    assert subscriber.poll(TIMEOUT_MS), "nothing was heard"
    assert isinstance(wire.decode(subscriber.recv_multipart(), m.Published), m.Tick)


def test_every_subscriber_gets_a_tick_at_once(endpoint: str, context: zmq.Context[zmq.Socket[bytes]]) -> None:
    for _ in range(3):
        subscriber = context.socket(zmq.SUB)
        subscriber.subscribe(b"")
        subscriber.connect(endpoint)
        hear_tick(subscriber)


def test_who_subscribes_without_end_is_told_of_few_ticks(
    endpoint: str, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    subscriber = context.socket(zmq.XSUB)
    subscriber.connect(endpoint)
    began_s = time.monotonic()
    for _ in range(10):
        subscriber.send(SUBSCRIBED_TO_ALL)
        hear_tick(subscriber)
    assert time.monotonic() - began_s > 8 * shell_file.SHORTEST_TICK_INTERVAL_S
