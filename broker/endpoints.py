"""Bind the broker's four sockets, with the options that make failures visible."""

from __future__ import annotations

from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator

from broker.shell import Sockets
from conf.curve import load_broker_keys
from conf.settings import BrokerSettings, SettingsError
from protocol.wire import MAX_PAYLOAD_BYTES

#: Messages queued for one peer before more are dropped; repeats heal what is dropped.
HIGH_WATER_MARK = 10_000


def bind_sockets(context: zmq.Context[zmq.Socket[bytes]], settings: BrokerSettings) -> Sockets:
    """All four, or SettingsError that names the key of the address that cannot be had."""
    secret = _start_authenticator(context, settings.curve_path) if settings.curve_path else None

    def bound(kind: int, key: str) -> zmq.Socket[bytes]:
        socket = context.socket(kind)
        socket.linger = 0
        socket.sndhwm = socket.rcvhwm = HIGH_WATER_MARK
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES)
        if kind == zmq.ROUTER:
            socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        if secret is not None:
            socket.curve_server = True
            socket.curve_publickey, socket.curve_secretkey = secret
        is_ipv6 = ":" in settings.host
        socket.ipv6 = is_ipv6
        host = f"[{settings.host}]" if is_ipv6 else settings.host
        endpoint = f"tcp://{host}:{getattr(settings, key)}"
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise SettingsError(f"[broker] {key}: cannot bind {endpoint}: {error}.") from error
        return socket

    return Sockets(
        web=bound(zmq.ROUTER, "web_port"),
        worker=bound(zmq.ROUTER, "worker_port"),
        publish=bound(zmq.XPUB, "publish_port"),
        collect=bound(zmq.XSUB, "collect_port"),
    )


def _start_authenticator(context: zmq.Context[zmq.Socket[bytes]], curve_dir: Path) -> tuple[bytes, bytes]:
    """Admit only clients whose public key lies in `curve_dir`; returns the broker's own key pair."""
    keys = load_broker_keys(curve_dir)
    authenticator = ThreadAuthenticator(context)
    authenticator.start()
    authenticator.configure_curve(domain="*", location=curve_dir)
    return keys
