"""The addresses of a broker's four sockets: Unix sockets on this machine, or TCP ports.

There may be several brokers, see `[broker] addresses`. Only one of them leads, and only that one listens. So front-ends
and workers connect to the sockets of all brokers, and reach the one that leads.
"""

from __future__ import annotations

import msgspec

from conf.broker_settings import BrokerSettings
from conf.settings import Settings, SettingsError
from conf.socket_folder import open_socket_folder

IPC = "ipc://"
#: The values of `[broker] host` with which the broker listens at all addresses of its machine.
EVERY_ADDRESS = ("0.0.0.0", "*", "::")
WORKER_SOCKET, COLLECT_SOCKET = "worker.sock", "collect.sock"


class Endpoints(msgspec.Struct, frozen=True):
    """The addresses of one broker, as ZeroMQ takes them.

    web: requests of front-ends and their answers. worker: the same for workers. publish: publications to front-ends.
    collect: publications from workers.
    """

    web: str
    worker: str
    publish: str
    collect: str


def bind_endpoints(settings: Settings) -> Endpoints:
    """Where the broker listens. Creates the folder of the Unix sockets. Raises SettingsError if that fails."""
    if settings.broker.addresses and not settings.broker.host:
        raise SettingsError(
            "[broker] host is empty, but with addresses the brokers are reached over TCP. Set host to the address at "
            "which this machine's broker listens, or start no broker here: 'python server.py run' is a front-end alone."
        )
    return _tcp(settings.broker, settings.broker.host) if settings.broker.host else _unix(settings)


def connect_endpoints(settings: Settings) -> tuple[Endpoints, ...]:
    """Where programs on this machine reach the brokers. Checks the folder of the Unix sockets."""
    broker = settings.broker
    if broker.addresses:
        return tuple(_tcp(broker, host) for host in broker.addresses)
    if not broker.host:
        return (_unix(settings),)
    return (_tcp(broker, "127.0.0.1" if broker.host in EVERY_ADDRESS else broker.host),)


def collect_endpoint(worker_endpoint: str, progress_port: int) -> str:
    """Where a worker publishes.

    worker_endpoint: where it talks to a broker. progress_port: from that broker's Welcome; Unix sockets do not need it.
    """
    if worker_endpoint.startswith(IPC):
        return worker_endpoint.removesuffix(WORKER_SOCKET) + COLLECT_SOCKET
    return f"{worker_endpoint.rpartition(':')[0]}:{progress_port}"


def _unix(settings: Settings) -> Endpoints:
    folder = f"{IPC}{open_socket_folder(settings.run_dir)}"
    return Endpoints(
        f"{folder}/web.sock", f"{folder}/{WORKER_SOCKET}", f"{folder}/publish.sock", f"{folder}/{COLLECT_SOCKET}"
    )


def _tcp(broker: BrokerSettings, host: str) -> Endpoints:
    ports = (broker.web_port, broker.worker_port, broker.publish_port, broker.collect_port)
    return Endpoints(*(tcp_address(host, port) for port in ports))


def tcp_address(host: str, port: int) -> str:
    """The address as ZeroMQ takes it. host: a name or an address, of IPv6 as well."""
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
