"""Several brokers' addresses: everything goes to the one that answers, and nothing to one that is away or hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import zmq
from zmq.utils.monitor import recv_monitor_message

from conf import sockets
from conf.sockets import connect_all, connecting_socket
from tests.free_ports import free_ports
from tests.waiting import TIMEOUT_S, wait_until

MESSAGES = 50
QUEUED = 100
#: A ROUTER in a process of its own, which can be stopped.
ROUTER = (
    "import sys, zmq; s = zmq.Context().socket(zmq.ROUTER); s.bind(sys.argv[1]); print(flush=True)\nwhile 1: s.recv()"
)

Socket = zmq.Socket[bytes]


@pytest.fixture
def context() -> Iterator[zmq.Context[Socket]]:
    made: zmq.Context[Socket] = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def endpoints() -> list[str]:
    return [f"tcp://127.0.0.1:{port}" for port in free_ports(2)]


def bound(context: zmq.Context[Socket], kind: int, endpoint: str) -> Socket:
    socket = context.socket(kind)
    socket.bind(endpoint)
    return socket


def dealer_to(context: zmq.Context[Socket], endpoints: list[str]) -> Socket:
    dealer = connecting_socket(context, zmq.DEALER, None, QUEUED, linger_ms=0)
    connect_all(dealer, endpoints)
    return dealer


def can_send(dealer: Socket) -> bool:
    return bool(dealer.poll(0, zmq.POLLOUT))


def sent_and_arrived(dealer: Socket, router: Socket) -> bool:
    """Send some messages, and tell whether they have all arrived at the router."""
    sent = [b"%d" % number for number in range(MESSAGES)]
    for message in sent:
        dealer.send(message, zmq.NOBLOCK)
    return [router.recv_multipart()[1] for _ in sent if router.poll(int(TIMEOUT_S * 1000))] == sent


def test_all_messages_go_to_the_broker_that_listens_wherever_it_stands_in_the_list(
    context: zmq.Context[Socket], endpoints: list[str]
) -> None:
    for leader in endpoints:
        with dealer_to(context, endpoints) as dealer:
            # Nothing is queued for brokers that are away. The last router's port closes just after its socket.
            wait_until(lambda: not can_send(dealer), "the last broker to be away")
            with bound(context, zmq.ROUTER, leader) as router:
                wait_until(lambda: can_send(dealer), "a connection")
                assert sent_and_arrived(dealer, router)


def test_a_broker_that_hangs_is_left_when_its_pings_are_not_answered(
    context: zmq.Context[Socket], endpoints: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "LIVENESS_PING_MS", 100)
    monkeypatch.setattr(sockets, "LIVENESS_TIMEOUT_MS", 300)
    hanging = subprocess.Popen([sys.executable, "-c", ROUTER, endpoints[0]], stdout=subprocess.PIPE)
    try:
        assert hanging.stdout is not None
        hanging.stdout.readline()
        with dealer_to(context, endpoints) as dealer, dealer.get_monitor_socket(zmq.EVENT_DISCONNECTED) as monitor:
            wait_until(lambda: can_send(dealer), "a connection")
            os.kill(hanging.pid, signal.SIGSTOP)
            assert monitor.poll(int(TIMEOUT_S * 1000))
            assert recv_monitor_message(monitor)["endpoint"].endswith(endpoints[0].rpartition(":")[2].encode())
            # Its system still takes connections, but the process does not introduce itself, so nothing is sent to it.
            # The socket learns of the end from a thread of its own, just after the monitor.
            wait_until(lambda: not can_send(dealer), "the connection to be given up")
            with bound(context, zmq.ROUTER, endpoints[1]) as router:
                wait_until(lambda: can_send(dealer), "a connection to the other broker")
                assert sent_and_arrived(dealer, router)
    finally:
        hanging.kill()
        hanging.wait()


def test_a_front_end_hears_the_broker_that_listens(context: zmq.Context[Socket], endpoints: list[str]) -> None:
    hears = connecting_socket(context, zmq.SUB, None, QUEUED, linger_ms=0)
    hears.subscribe(b"")
    connect_all(hears, endpoints)
    for leader in (*endpoints, *endpoints):
        with bound(context, zmq.XPUB, leader) as publisher:
            assert publisher.recv() == b"\x01"
            publisher.send(leader.encode())
            assert hears.poll(int(TIMEOUT_S * 1000))
            assert hears.recv() == leader.encode()
    hears.close()


def test_a_worker_publishes_to_the_broker_that_listens(context: zmq.Context[Socket], endpoints: list[str]) -> None:
    says = connecting_socket(context, zmq.PUB, None, QUEUED, linger_ms=0)
    connect_all(says, endpoints)
    for leader in endpoints:
        with bound(context, zmq.SUB, leader) as collects:
            collects.subscribe(b"")
            wait_until(lambda: says.send(b"80.0") or collects.poll(10), "progress at the broker that listens")


def test_brokers_that_stand_by_are_asked_once_a_second_and_a_single_one_more_often(
    context: zmq.Context[Socket], endpoints: list[str]
) -> None:
    """Thousands of workers ask the broker that stands by. A single broker comes back within seconds, and is awaited."""
    for given, longest_ms in ((endpoints, 1000), (endpoints[:1], 0)):
        with dealer_to(context, given) as dealer:
            assert dealer.reconnect_ivl_max == longest_ms
