"""The Ray cluster itself comes and goes: its head is restarted, and its autoscaler adds and removes nodes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="ray is not installed; pip install -r requirements-cluster.txt")

import psutil
from ray.autoscaler.v2.sdk import get_cluster_status

from protocol.task import TaskState
from tests.cluster.controller_process import AGENT, ControllerProcess, cluster_settings
from tests.cluster.ray_nodes import OBJECT_STORE_BYTES, RayNodes
from tests.free_ports import free_ports
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.waiting import wait_until


def test_after_the_head_has_died_its_workers_are_gone_and_a_new_cluster_gets_new_ones(tmp_path: Path) -> None:
    with (
        Programs(tmp_path, start=False) as programs,
        RayNodes(1) as nodes,
    ):
        programs.environ |= {
            f"TFMODEL_{name}": str(value) for name, value in cluster_settings(nodes.address, {}).items()
        }
        programs.start("broker")
        with (
            ScriptedFrontEnd(programs.endpoints.web) as front_end,
            ControllerProcess(programs, front_end) as controller,
        ):
            task = controller.submit("survivor")
            controller.wait_for_attempt(task, 1)
            nodes.kill_head()
            wait_until(
                lambda: not controller.agents(),
                lambda: f"no agent without a Ray cluster; left:\n{nodes.what_is_left(AGENT, 'ray::')}",
            )
            assert controller.task(task).state is TaskState.PENDING
            assert [end.counted for end in controller.task(task).ended_attempts] == [False]
            controller.kill()
            nodes.start_anew()
            programs.environ["TFMODEL_CLUSTER_ADDRESS"] = nodes.address
            controller.start()
            controller.wait_for_attempt(task, 2)
            controller.finish(task)
            controller.wait_for_state(task, TaskState.DONE)


#: What Ray's autoscaler wants to find in its settings, beside what matters here.
UNUSED = {
    **{name: {} for name in ("auth", "docker", "file_mounts", "head_node", "worker_nodes")},
    **{f"{name}_commands": [] for name in ("initialization", "setup", "head_setup", "worker_setup")},
    **{f"{name}_start_ray_commands": [] for name in ("head", "worker")},
    "cluster_synced_files": [],
    "file_mounts_sync_continuously": False,
    "rsync_exclude": [],
    "rsync_filter": [],
    "upscaling_speed": 10.0,
}


AUTOSCALER_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_FAKE_CLUSTER": "1",
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
}


@contextmanager
def autoscaling_cluster(most: int) -> Iterator[str]:
    """The address of a Ray cluster whose autoscaler starts up to so many nodes of one CPU on this machine.

    Ray has AutoscalingCluster for this, but its package lacks a file that the class reads, and the class ends all of
    Ray's processes of the machine.
    """
    folder = Path(tempfile.mkdtemp(prefix="tfray-", dir="/tmp"))
    port, client_port = free_ports(2)
    address = f"127.0.0.1:{port}"
    node = {"resources": {"CPU": 1, "object_store_memory": OBJECT_STORE_BYTES}, "node_config": {}}
    config = {
        **UNUSED,
        "cluster_name": "test",
        "max_workers": most,
        "idle_timeout_minutes": 0.03,
        "provider": {
            "type": "fake_multinode",
            "gcs_address": address,
            # All nodes have one address here, so Ray has to tell them by their ids.
            "use_node_id_as_ip": True,
            "launch_multiple": True,
        },
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "min_workers": 0, "max_workers": 0},
            "cpu": {**node, "min_workers": 0, "max_workers": most},
        },
        "head_node_type": "ray.head.default",
    }
    (folder / "autoscaler.json").write_text(json.dumps(config))
    words = [
        *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--include-dashboard=false"),
        *("--node-ip-address=127.0.0.1", f"--port={port}", f"--ray-client-server-port={client_port}"),
        *("--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"),
        *("--num-cpus=0", f"--object-store-memory={OBJECT_STORE_BYTES}", f"--temp-dir={folder}"),
        f"--autoscaling-config={folder / 'autoscaler.json'}",
    ]
    head = subprocess.Popen(
        words,
        env={**os.environ, **AUTOSCALER_VARIABLES},
        stdin=subprocess.DEVNULL,
        stdout=(folder / "ray.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        wait_until(lambda: is_listening(port) or head.poll() is not None, "the head of the Ray cluster")
        assert head.poll() is None, (folder / "ray.log").read_text()
        yield address
    finally:
        for process in psutil.process_iter(["cmdline"]):
            if any(str(folder) in word for word in process.info["cmdline"] or []):
                process.kill()
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_autoscaler_adds_nodes_for_waiting_tasks_and_takes_them_when_the_workers_have_gone(tmp_path: Path) -> None:
    with autoscaling_cluster(3) as address:
        settings = cluster_settings(address, {"max_workers": 3})
        with Programs(tmp_path, start=False, **settings) as programs:
            programs.start("broker")
            with (
                ScriptedFrontEnd(programs.endpoints.web) as front_end,
                ControllerProcess(programs, front_end) as controller,
            ):
                controller.wait_for_pool(wanted=0)
                assert nodes_of(address) == 1, "the head alone"
                tasks = [controller.submit(f"t{number}") for number in range(3)]
                controller.wait_for_busy(3)
                assert nodes_of(address) == 4
                for task in tasks:
                    controller.finish(task)
                controller.wait_for_pool(running=0, starting=0)
                wait_until(lambda: nodes_of(address) == 1, "the end of all nodes but the head")
                assert all(controller.task(task).attempt == 1 for task in tasks)


def nodes_of(address: str) -> int:
    """The living nodes, the head included."""
    status = get_cluster_status(address)
    return len(status.active_nodes) + len(status.idle_nodes)
