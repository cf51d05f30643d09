"""The section [cluster]: what is refused, and what a worker of a pool is started with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.orders import order_maker
from cluster.pool import pools_of
from conf.settings import Settings, SettingsError, load
from conf.worker_keys import keys_of_text


def with_pools(folder: Path, *pools: dict[str, Any], **more: str) -> Settings:
    return load({"TFMODEL_HOME": str(folder), "TFMODEL_CLUSTER_POOLS": json.dumps(pools), **more})


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        ([{"name": "cpu"}, {"name": "cpu"}], "is there twice"),
        ([{"name": "cpu", "min_workers": 3, "max_workers": 2}], "min_workers = 3 above max_workers = 2"),
        ([{"name": "cpu", "memory_mb": 500}], "needs at least 1000"),
        ([{"name": "cpu", "resources": {"GPU": 1.0}}], "use num_cpus, num_gpus or memory_mb"),
        ([{"name": "Big Pool"}], "pools"),
        ([{"name": "cpu", "workers": 3}], "pools"),
        ([{"name": "cpu", "labels": {"GPU": "a100"}}], "pools"),
    ],
)
def test_a_bad_pool_is_refused_with_its_reason(tmp_path: Path, pools: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        with_pools(tmp_path, *pools)


def test_a_worker_on_this_machine_gets_the_state_folder_and_no_keys(tmp_path: Path) -> None:
    settings = with_pools(tmp_path, {"name": "cpu", "num_cpus": 2, "memory_mb": 3000, "environment": {"A": "1"}})
    order = order_maker(settings)(settings.cluster.pools[0], "cpu-00000001")
    assert order.arguments == ("-m", "trainer_worker", "--name", "cpu-00000001", "--pool", "cpu")
    assert order.keys == ""
    assert order.environment["TFMODEL_HOME"] == str(tmp_path)
    assert order.environment["TFMODEL_WORKER_THREADS"] == "2"
    assert order.environment["TFMODEL_WORKER_MEMORY_LIMIT_MB"] == "3000"
    assert order.environment["A"] == "1"
    load(order.environment), "a worker takes these variables"
    assert pools_of(settings.cluster)["cpu"].resources == {"CPU": 2.0, "memory": 3000 * 2.0**20}


def test_a_worker_elsewhere_gets_address_labels_and_keys_and_nothing_shows_them(tmp_path: Path) -> None:
    from conf.curve import make_keys

    settings = with_pools(
        tmp_path,
        {"name": "gpu", "labels": {"gpu": "a100"}, "num_gpus": 1},
        TFMODEL_BROKER_HOST="192.0.2.7",
    )
    make_keys(settings.broker.curve_path)
    order = order_maker(settings)(settings.cluster.pools[0], "gpu-00000001")
    assert order.arguments[2:4] == ("--broker", "tcp://192.0.2.7:2335")
    assert order.arguments[-2:] == ("--label", "gpu=a100")
    assert keys_of_text(order.keys).secret
    assert order.keys not in repr(order)
    assert "TFMODEL_HOME" not in order.environment


def test_a_worker_elsewhere_gets_the_urls_of_object_storage_and_how_to_reach_them(tmp_path: Path) -> None:
    pytest.importorskip("obstore", reason="obstore is not installed; pip install -r requirements-cluster.txt")
    settings = with_pools(
        tmp_path,
        {"name": "cpu"},
        TFMODEL_WEB_DATA_ROOTS=f"{tmp_path},s3://photos/users",
        TFMODEL_STORAGE_ENDPOINT="http://192.0.2.9:9000",
        TFMODEL_STORAGE_ALLOW_HTTP="true",
    )
    there = load(order_maker(settings)(settings.cluster.pools[0], "cpu-00000001").environment)
    assert [str(root) for root in there.worker_roots] == [str(tmp_path), "s3://photos/users"]
    assert there.storage == settings.storage


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "::"])
def test_workers_elsewhere_are_not_sent_to_their_own_machine(tmp_path: Path, host: str) -> None:
    settings = with_pools(tmp_path, {"name": "cpu"}, TFMODEL_BROKER_HOST=host)
    with pytest.raises(SettingsError, match="set TFMODEL_BROKER to tcp://ADDRESS:2335"):
        order_maker(settings)
    named = with_pools(tmp_path, {"name": "cpu"}, TFMODEL_BROKER_HOST=host, TFMODEL_BROKER="tcp://192.0.2.7:2335")
    order = order_maker(named)(named.cluster.pools[0], "cpu-00000001")
    assert order.arguments[2:4] == ("--broker", "tcp://192.0.2.7:2335")
