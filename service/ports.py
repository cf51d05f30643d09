"""The TCP ports of the service, and whether they can be used."""

from __future__ import annotations

import socket

import msgspec
import psutil

from conf.settings import Settings


class Port(msgspec.Struct, frozen=True):
    """A port that the service listens on. section, key: of the setting that names it."""

    section: str
    key: str
    host: str
    number: int

    @property
    def variable(self) -> str:
        return f"TFMODEL_{self.section.upper()}_{self.key.upper()}"


def ports_of(settings: Settings) -> list[Port]:
    """The ports that the settings name. Without [broker] host, the broker uses Unix sockets and has none."""
    broker, web = settings.broker, settings.web
    keys = ("web_port", "worker_port", "publish_port", "collect_port") if broker.host else ()
    of_broker = [Port("broker", key, broker.host, getattr(broker, key)) for key in keys]
    return [Port("web", "port", web.host, web.port), *of_broker]


def why_unusable(port: Port) -> str:
    """Return why the port cannot be listened on, or "" if it can."""
    family = socket.AF_INET6 if ":" in port.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("" if port.host == "*" else port.host, port.number))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def owner_of(port: Port) -> psutil.Process | None:
    """Return the process that listens on the port. None if it is unknown, as with other users' processes."""
    try:
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr
            if address and address.port == port.number and connection.pid and connection.status == "LISTEN":
                return psutil.Process(connection.pid)
    except psutil.Error:
        pass
    return None


def owner_words(port: Port) -> str:
    """Return " by process 12 (name)" for a message, or "" if the owner is unknown."""
    try:
        owner = owner_of(port)
        return f" by process {owner.pid} ({owner.name()})" if owner else ""
    except psutil.Error:
        return ""
