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
    pulse, tick = BrokerPulse(), m.Tick(1, 2, 2, 1, 3)

    def broken(_: m.Published) -> None:
        raise RuntimeError("no room")

    async def listen() -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        publisher = context.socket(zmq.XPUB)
        publisher.bind("inproc://published")
        heard = asyncio.Event()
        listeners = [broken, pulse.take, lambda _: heard.set()]
        publications = Publications(context, "inproc://published", None, listeners)
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
