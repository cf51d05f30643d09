"""Where the broker is found: Unix sockets in the state folder, or TCP where a host is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from conf.endpoints import bind_endpoints, collect_endpoint, connect_endpoints
from conf.settings import Settings, SettingsError, load
from conf.worker_settings import listed_brokers


def settings(home: Path, **broker: str) -> Settings:
    return load({"TFMODEL_HOME": str(home), **{f"TFMODEL_BROKER_{key}": value for key, value in broker.items()}})


def test_by_default_nothing_listens_at_a_port(tmp_path: Path) -> None:
    local = settings(tmp_path)
    assert connect_endpoints(local) == (bind_endpoints(local),)
    folder = f"ipc://{tmp_path}/run/"
    endpoints = bind_endpoints(local)
    addresses = [endpoints.web, endpoints.worker, endpoints.publish, endpoints.collect]
    assert len({address for address in addresses if address.startswith(folder)}) == 4
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


def test_a_deep_state_folder_gives_addresses_that_can_be_bound(tmp_path: Path) -> None:
    deep = settings(tmp_path / ("deep" * 30))
    (endpoints,) = connect_endpoints(deep)
    folder = Path(endpoints.collect.removeprefix("ipc://")).parent
    try:
        assert len(endpoints.collect.removeprefix("ipc://")) <= 107
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
    assert [each.worker for each in connect_endpoints(remote)] == [reached]


def test_a_worker_publishes_beside_the_socket_that_it_speaks_to() -> None:
    assert collect_endpoint("ipc:///srv/run/worker.sock", 0) == "ipc:///srv/run/collect.sock"
    assert collect_endpoint("tcp://192.0.2.7:2335", 2337) == "tcp://192.0.2.7:2337"
    assert collect_endpoint("tcp://[::1]:2335", 2337) == "tcp://[::1]:2337"


def test_addresses_name_the_machines_of_all_brokers(tmp_path: Path) -> None:
    """A front-end's own machine needs no broker; that of a broker listens at its own address, and connects to all."""
    for host in ("", "192.0.2.7"):
        brokers = connect_endpoints(settings(tmp_path, HOST=host, ADDRESSES="192.0.2.7, db.example.com, ::1"))
        assert [each.web for each in brokers] == [
            "tcp://192.0.2.7:2334",
            "tcp://db.example.com:2334",
            "tcp://[::1]:2334",
        ]
        assert [each.publish for each in brokers] == [each.web.replace("2334", "2336") for each in brokers]
    assert bind_endpoints(settings(tmp_path, HOST="192.0.2.7", ADDRESSES="192.0.2.8")).web == "tcp://192.0.2.7:2334"


@pytest.mark.parametrize("address", ["tcp://192.0.2.7", "192.0.2.7:2334", "two words", "a/b", ""])
def test_an_address_is_a_name_without_scheme_and_port(tmp_path: Path, address: str) -> None:
    file = tmp_path / "tfmodel.toml"
    file.write_text(f'[broker]\naddresses = ["192.0.2.7", "{address}"]\n')
    with pytest.raises(SettingsError, match=r"\[broker\] addresses"):
        load({}, file)


def test_a_worker_is_told_one_broker_or_several() -> None:
    both = load({"TFMODEL_WORKER_BROKER": "tcp://192.0.2.7:2335, tcp://[::1]:2335,tcp://192.0.2.7:2335"})
    assert listed_brokers(both.worker.broker) == ("tcp://192.0.2.7:2335", "tcp://[::1]:2335")
    assert listed_brokers("") == ()


@pytest.mark.parametrize("text", ["192.0.2.7:2335", "tcp://a:1 tcp://b:2", "tcp://a:1,", "tcp://a:1,b:2", "tcp://a"])
def test_a_list_of_brokers_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"\[worker\] broker"):
        load({"TFMODEL_WORKER_BROKER": text})


def test_a_broker_that_nobody_could_reach_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[broker\] host is empty"):
        bind_endpoints(settings(tmp_path, ADDRESSES="192.0.2.7"))
