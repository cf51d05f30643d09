"""A front-end that subscribes hears at once that the broker is there, and not only when the next tick is due."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import zmq

from broker import shell as shell_file
from broker.core import Core
from broker.core_settings import CoreSettings
from broker.endpoints import bind_sockets
from broker.shell import Shell
from broker.sqlite_journal.journal import SqliteJournal
from broker.tally import Tally
from conf.endpoints import connect_endpoints
from conf.settings import load
from protocol import messages as m
from protocol import wire
from tests.waiting import TIMEOUT_S


def test_every_subscriber_gets_a_tick_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell_file, "TICK_INTERVAL_S", 10 * TIMEOUT_S)
    settings = load({"TFMODEL_HOME": str(tmp_path)})
    (endpoints,) = connect_endpoints(settings)
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    tally = Tally()
    sockets = bind_sockets(context, settings, tally)
    shells: list[Shell] = []
    started = threading.Event()

    def serve() -> None:
        with SqliteJournal(tmp_path / "journal.sqlite3") as journal:
            shells.append(Shell(Core(CoreSettings()), journal, sockets, keep_days=30.0, tally=tally))
            started.set()
            shells[0].run()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert started.wait(TIMEOUT_S)
        for number in range(3):
            subscriber = context.socket(zmq.SUB)
            subscriber.subscribe(b"")
            subscriber.connect(endpoints.publish)
            assert subscriber.poll(int(TIMEOUT_S * 1000)), f"subscriber {number} has heard nothing"
            assert isinstance(wire.decode(subscriber.recv_multipart(), m.Published), m.Tick)
    finally:
        shells[0].stop()
        thread.join(TIMEOUT_S)
        context.destroy(linger=0)
