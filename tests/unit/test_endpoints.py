"""Where the broker is found: Unix sockets in the state folder, or TCP where a host is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.endpoints import bind_endpoints, collect_endpoint, connect_endpoints
from conf.settings import Settings, load


def settings(home: Path, **broker: str) -> Settings:
    return load({"TFMODEL_HOME": str(home), **{f"TFMODEL_BROKER_{key}": value for key, value in broker.items()}})


def test_by_default_nothing_listens_at_a_port(tmp_path: Path) -> None:
    local = settings(tmp_path)
    assert bind_endpoints(local) == connect_endpoints(local)
    folder = f"ipc://{tmp_path}/run/"
    endpoints = bind_endpoints(local)
    addresses = [endpoints.web, endpoints.worker, endpoints.publish, endpoints.collect]
    assert len({address for address in addresses if address.startswith(folder)}) == 4
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_deep_state_folder_gives_addresses_that_can_be_bound(tmp_path: Path) -> None:
    deep = settings(tmp_path / ("deep" * 30))
    folder = Path(connect_endpoints(deep).collect.removeprefix("ipc://")).parent
    try:
        assert len(connect_endpoints(deep).collect.removeprefix("ipc://")) <= 107
    finally:
        folder.rmdir()


@pytest.mark.parametrize(
    ("host", "bound", "reached"),
    [
        ("0.0.0.0", "tcp://0.0.0.0:2335", "tcp://127.0.0.1:2335"),
        ("*", "tcp://*:2335", "tcp://127.0.0.1:2335"),
        ("192.0.2.7", "tcp://192.0.2.7:2335", "tcp://192.0.2.7:2335"),
        ("::1", "tcp://[::1]:2335", "tcp://[::1]:2335"),
    ],
)
def test_a_host_means_tcp(tmp_path: Path, host: str, bound: str, reached: str) -> None:
    remote = settings(tmp_path, HOST=host)
    assert bind_endpoints(remote).worker == bound
    assert connect_endpoints(remote).worker == reached


def test_a_worker_publishes_beside_the_socket_that_it_speaks_to() -> None:
    assert collect_endpoint("ipc:///srv/run/worker.sock", 0) == "ipc:///srv/run/collect.sock"
    assert collect_endpoint("tcp://192.0.2.7:2335", 2337) == "tcp://192.0.2.7:2337"
    assert collect_endpoint("tcp://[::1]:2335", 2337) == "tcp://[::1]:2337"
