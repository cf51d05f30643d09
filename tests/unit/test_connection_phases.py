"""Which connection goes first when there are too many."""

from __future__ import annotations

import asyncio
import socket

import pytest
from tornado.iostream import StreamClosedError

from web.door.connection import FRESH_S, Connection, Phase


def test_the_idle_go_first_then_halves_of_requests_and_last_what_is_being_answered() -> None:
    async def order() -> list[str]:
        now_s = 1000.0
        ages_s = {
            "idle for long": (Phase.REQUEST, 60.0),
            "idle for a while": (Phase.REQUEST, FRESH_S + 1),
            "half a head for long": (Phase.HEADERS, 15.0),
            "half a body": (Phase.BODY, 10.0),
            "fresh": (Phase.REQUEST, FRESH_S / 2),
            "answered for long": (Phase.ANSWER, 90.0),
            "answered": (Phase.ANSWER, 1.0),
        }
        found = {}
        for name, (phase, age_s) in ages_s.items():
            ours, theirs = socket.socketpair()
            connection = Connection(ours, "192.0.2.7", 100_000, lambda _: None)
            connection.phase, connection.since_s = phase, now_s - age_s
            found[name] = connection.idleness(now_s)
            connection.close()
            theirs.close()
        assert list(ages_s) == sorted(found, key=lambda name: found[name], reverse=True)
        return list(found)

    assert len(asyncio.run(order())) == 7


def test_its_clock_starts_with_the_first_byte_and_its_end_is_told_once() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        closed: list[Connection] = []
        connection = Connection(ours, "192.0.2.7", 100_000, closed.append)
        connection.since_s = 0.0
        theirs.send(b"G")
        await connection.read_bytes(1)
        assert connection.phase is Phase.HEADERS
        assert connection.since_s > 0.0
        connection.since_s = 1.0
        theirs.send(b"E")
        await connection.read_bytes(1)
        assert connection.since_s == 1.0, "the second byte does not reset it"
        connection.close()
        connection.close()
        assert closed == [connection]
        theirs.close()

    asyncio.run(run())


def test_what_is_sent_goes_out_at_once_or_in_order_when_the_other_end_reads() -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        connection = Connection(ours, "192.0.2.7", 100_000, lambda _: None)
        assert connection.send(b"first ") is None
        rest = [connection.send(b"%07d" % number + b"x" * 100_000) for number in range(20)]
        assert rest[-1] is not None, "no buffer of a system is that large"
        expected = b"first " + b"".join(b"%07d" % number + b"x" * 100_000 for number in range(20))
        received = bytearray()
        loop = asyncio.get_running_loop()
        theirs.setblocking(False)
        while len(received) < len(expected):
            received += await loop.sock_recv(theirs, 1_000_000)
        assert received == expected
        await rest[-1]
        theirs.close()
        assert connection.send(b"the other end is gone") is None
        assert connection.closed()
        with pytest.raises(StreamClosedError):
            connection.send(b"more")

    asyncio.run(run())
