"""Publications reach every listener, whatever the others do with them."""

from __future__ import annotations

import asyncio
import logging

import pytest
import zmq

from protocol import messages as m
from protocol import wire
from tests.waiting import TIMEOUT_S
from web.broker_link.broker_pulse import BrokerPulse
from web.broker_link.publications import Publications


def test_a_listener_that_fails_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    pulse, tick = BrokerPulse(), m.Tick(1, 2, 2, 1, 3, overdue=3)

    def broken(_: m.Published) -> None:
        raise RuntimeError("no room")

    async def listen() -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        publisher = context.socket(zmq.XPUB)
        publisher.bind("inproc://published")
        heard = asyncio.Event()
        listeners = [broken, pulse.take, lambda _: heard.set()]
        publications = Publications(context, ["inproc://published"], None, listeners)
        publications.start()
        try:
            await asyncio.to_thread(publisher.recv)  # The subscription has arrived.
            publisher.send_multipart([b"\xff", b"not a message"])
            publisher.send_multipart(wire.encode(tick))
            await asyncio.wait_for(heard.wait(), TIMEOUT_S)
        finally:
            publications.close()
            context.destroy(linger=0)

    with caplog.at_level(logging.WARNING):
        asyncio.run(listen())
    assert pulse.tick == tick
    assert pulse.stuck_for_s > 0
    assert "action=web.bad_frame" in caplog.text
    assert "action=web.listener_failed message=Tick" in caplog.text


def test_a_tick_of_a_broker_that_no_longer_leads_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the later term is no longer heard: then the database is another one."""
    heard: list[m.Published] = []

    async def listen() -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        publisher = context.socket(zmq.XPUB)
        publisher.bind("inproc://published")
        last = asyncio.Event()

        def take(message: m.Published) -> None:
            heard.append(message)
            if isinstance(message, m.Tick) and message.seq == 9:
                last.set()

        publications = Publications(context, ["inproc://published"], None, [take])
        publications.start()
        try:
            await asyncio.to_thread(publisher.recv)
            for seq, term in ((5, 1), (6, 2), (5, 1), (9, 2)):
                publisher.send_multipart(wire.encode(m.Tick(seq, 0, 0, 0, 0, term=term)))
            await asyncio.wait_for(last.wait(), TIMEOUT_S)
            last.clear()
            monkeypatch.setattr("web.broker_link.publications.TERM_HOLDS_S", 0.0)
            publisher.send_multipart(wire.encode(m.Tick(9, 0, 0, 0, 0, term=1)))
            await asyncio.wait_for(last.wait(), TIMEOUT_S)
        finally:
            publications.close()
            context.destroy(linger=0)

    asyncio.run(listen())
    assert [(tick.seq, tick.term) for tick in heard if isinstance(tick, m.Tick)] == [(5, 1), (6, 2), (9, 2), (9, 1)]
