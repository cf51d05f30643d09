"""Bind the broker's four sockets, with limits on the memory that one peer can take."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import NamedTuple

import zmq
from zmq.auth.thread import ThreadAuthenticator

from broker.publisher import Publisher
from broker.shell import Sockets
from broker.tally import Tally
from conf.curve import FRONT_END, ROLES, WORKER, broker_keys
from conf.endpoints import IPC, bind_endpoints
from conf.settings import Settings, SettingsError
from protocol.bounds import MAX_PROGRESS_BYTES, MAX_REQUEST_BYTES, MAX_WORKER_BYTES


class Limits(NamedTuple):
    """What the broker queues for one peer at most: messages to it, messages from it, and the bytes of a message.

    Outgoing messages beyond the limit are dropped; repeats and snapshots make up for them. Incoming messages beyond it
    wait at the peer. A peer that sends a larger message is disconnected.
    """

    send_messages: int
    receive_messages: int
    max_bytes: int


WEB_LIMITS = Limits(1000, 1000, MAX_REQUEST_BYTES)
WORKER_LIMITS = Limits(200, 200, MAX_WORKER_BYTES)
COLLECT_LIMITS = Limits(10, 200, MAX_PROGRESS_BYTES)
#: ZeroMQ stores each subscription that it receives, so only a few may be queued at a time. The subscription of a
#: front-end is one byte. The other bytes are for the handshake of CURVE.
PUBLISH_LIMITS = Limits(500, 10, 512)
#: How long to wait until a socket that has just been closed releases its address.
BIND_TIMEOUT_S = 2.0
POLL_INTERVAL_S = 0.005


class Door:
    """What the four sockets share: context, keys, and the lock that keeps a second broker out of the folder."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], settings: Settings) -> None:
        self._context = context
        self._settings = settings.broker
        self._endpoints = bind_endpoints(settings)
        self._keys = _start_authenticator(context, settings) if settings.broker.host else None
        if not settings.broker.host:
            _lock(Path(self._endpoints.web.removeprefix(IPC)).with_name("broker.lock"))

    def bind(self, name: str, kind: int, role: str, limits: Limits) -> zmq.Socket[bytes]:
        """Bind one socket. name: a field of Endpoints. role: the role whose keys are admitted."""
        endpoint = getattr(self._endpoints, name)
        socket = self._context.socket(kind)
        socket.linger = 0
        socket.sndhwm, socket.rcvhwm = limits.send_messages, limits.receive_messages
        socket.setsockopt(zmq.MAXMSGSIZE, limits.max_bytes)
        if kind == zmq.ROUTER:
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        if self._keys is not None:
            socket.curve_server = True
            socket.curve_publickey, socket.curve_secretkey = self._keys
            socket.zap_domain = role.encode()
        socket.ipv6 = "[" in endpoint
        try:
            _bind(socket, endpoint)
        except zmq.ZMQError as error:
            key = f"[broker] {name}_port" if self._settings.host else "[service] state_dir"
            raise SettingsError(f"{key}: cannot bind {endpoint}: {error}.") from error
        return socket


def bind_sockets(context: zmq.Context[zmq.Socket[bytes]], settings: Settings, tally: Tally) -> Sockets:
    """Bind all four. Raises SettingsError, which names the setting of an address that cannot be used."""
    door = Door(context, settings)

    def publish() -> zmq.Socket[bytes]:
        return door.bind("publish", zmq.XPUB, FRONT_END, PUBLISH_LIMITS)

    return Sockets(
        web=door.bind("web", zmq.ROUTER, FRONT_END, WEB_LIMITS),
        worker=door.bind("worker", zmq.ROUTER, WORKER, WORKER_LIMITS),
        publish=Publisher(publish, tally),
        collect=door.bind("collect", zmq.SUB, WORKER, COLLECT_LIMITS),
    )


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Bind, and retry for BIND_TIMEOUT_S: a socket that has just been closed releases its port a moment later.

    The file of a Unix socket stays when ZeroMQ closes the socket or the broker is killed. `bind` replaces it.
    """
    give_up_at_s = time.monotonic() + BIND_TIMEOUT_S
    while True:
        try:
            socket.bind(endpoint)
            return
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE or time.monotonic() > give_up_at_s:
                raise
        time.sleep(POLL_INTERVAL_S)


def _lock(path: Path) -> None:
    """Lock the folder until this process ends. Without the lock, a second broker would silently take the sockets."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SettingsError(
            f"[service] state_dir: another broker uses the sockets in {path.parent}; give each service a state "
            "folder of its own, or stop the other one."
        ) from error
    except OSError as error:
        raise SettingsError(f"[service] state_dir: cannot lock {path}: {error.strerror}.") from error


def _start_authenticator(context: zmq.Context[zmq.Socket[bytes]], settings: Settings) -> tuple[bytes, bytes]:
    """Admit a peer to the sockets of a role only with a key of that role. Returns the broker's own pair."""
    keys = broker_keys(settings)
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    for role in ROLES:
        authenticator.configure_curve(domain=role, location=settings.broker.curve_path / role)
    return keys
