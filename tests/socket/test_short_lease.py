"""A lease that is shorter than the broker's tick runs out all the same."""

from __future__ import annotations

from pathlib import Path

import zmq

from broker.core import Core
from broker.core_settings import CoreSettings
from broker.publisher import Publisher
from broker.shell import Sockets
from broker.tally import Tally
from protocol import messages as m
from protocol import wire
from tests.socket.served_shell import served_shell
from tests.waiting import TIMEOUT_S

TIMEOUT_MS = int(TIMEOUT_S * 1000)


def test_a_silent_worker_with_a_short_lease_is_given_up(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    kinds = {"web": zmq.ROUTER, "worker": zmq.ROUTER, "publish": zmq.XPUB, "collect": zmq.SUB}
    bound = {name: context.socket(kind) for name, kind in kinds.items()}
    for name, socket in bound.items():
        socket.bind(f"inproc://{name}")
    four = Sockets(bound["web"], bound["worker"], Publisher(lambda: bound["publish"], Tally()), bound["collect"])
    subscriber, worker = context.socket(zmq.SUB), context.socket(zmq.DEALER)
    subscriber.subscribe(b"")
    for name, socket in (("publish", subscriber), ("worker", worker)):
        socket.rcvtimeo = TIMEOUT_MS
        socket.connect(f"inproc://{name}")
    core = Core(CoreSettings(lease_ttl_s=0.9, heartbeat_interval_s=0.3))
    try:
        with served_shell(core, four, tmp_path, Tally()):
            worker.send_multipart(wire.encode(m.Hello("w", "s1", "host", ("classification",), ready=True)))
            assert isinstance(wire.decode(worker.recv_multipart(), m.BrokerToWorker), m.Welcome)
            workers = [_next_tick(subscriber).workers for _ in range(4)]
            assert 0 in workers[-2:], f"four ticks, and the worker is still there: {workers}"
    finally:
        context.destroy(linger=0)


def _next_tick(subscriber: zmq.Socket[bytes]) -> m.Tick:
    while True:
        message = wire.decode(subscriber.recv_multipart(), m.Published)
        if isinstance(message, m.Tick):
            return message
