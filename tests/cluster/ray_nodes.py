"""A Ray cluster of several nodes on this machine, with short waits, and nothing left of it afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from ray._raylet import GcsClient  # type: ignore[attr-defined, unused-ignore]
from ray.cluster_utils import Cluster
from ray.core.generated.autoscaler_pb2 import DrainNodeReason

from conf.process_end import wait_for_end
from tests.waiting import TIMEOUT_S

OBJECT_STORE_BYTES = 80 * 2**20
#: A node that is killed counts as dead after about 6 s instead of 15 s; less would take busy nodes for dead ones. One
#: without a head ends after 3 s instead of 60 s. Ray's processes do not tell the head of their tasks: by chance, those
#: reports would show an actor that the head has died.
IMPATIENT = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 6,
    "gcs_rpc_server_reconnect_timeout_s": 3,
    "task_events_report_interval_ms": 0,
}
#: The logs that say why a raylet or an actor has ended or goes on.
TELLING_LOGS = ("raylet*.out", "python-core-worker-*.log", "worker-*.err")
SHOWN_LINES = 12


class RayNodes:
    """Use as a context manager. The head has no CPU, so no worker runs there."""

    def __init__(self, nodes: int, **resources: Any) -> None:
        """nodes: how many there are beside the head. resources: of each of them, as Cluster.add_node takes them."""
        self._resources = {"num_cpus": 1, "object_store_memory": OBJECT_STORE_BYTES, **resources}
        # Ray makes sockets there, so the path must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="tfray-", dir="/tmp"))
        # Cluster notes its address there, and only other parts of Ray would make that folder.
        Path("/tmp/ray").mkdir(exist_ok=True)
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        self._before = {process.pid for process in psutil.Process().children(recursive=True)}
        self._cluster = Cluster()
        self.start_head()
        for _ in range(nodes):
            self.add()

    def __enter__(self) -> RayNodes:
        return self

    def __exit__(self, *_: object) -> None:
        # A raylet that is killed leaves children, which would go on writing to the folder.
        ours = [process for process in self._processes() if is_of_ray(process)]
        self._cluster.shutdown()
        for process in ours:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        wait_for_end(ours, TIMEOUT_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _processes(self) -> list[psutil.Process]:
        """All processes below this one that have come since there are nodes, those that nobody has waited for too."""
        return [process for process in psutil.Process().children(recursive=True) if process.pid not in self._before]

    def what_is_left(self, *words: str) -> str:
        """For a message: the processes, with those that have one of these words in their command, and Ray's logs."""
        strangers = [process for process in psutil.process_iter() if any(word in command(process) for word in words)]
        logs = [log for pattern in TELLING_LOGS for log in sorted(self._folder.glob(f"session_2*/logs/{pattern}"))]
        return "\n".join(
            [
                *dict.fromkeys(described(process) for process in (*self._processes(), *strangers)),
                *(f"--- {log.parent.parent.name}/{log.name}\n{last_lines(log)}" for log in logs),
            ]
        )

    @property
    def address(self) -> str:
        return str(self._cluster.address)

    def start_head(self, **more: Any) -> None:
        self._cluster.add_node(
            num_cpus=0,
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            temp_dir=str(self._folder),
            _system_config=IMPATIENT,
            **more,
        )

    def add(self) -> str:
        """Returns the id of the new node."""
        return str(self._cluster.add_node(**self._resources).node_id)

    def kill_head(self) -> None:
        """SIGKILL for all of Ray's processes of the head. Its nodes then end by themselves."""
        self._cluster.remove_node(self._cluster.head_node, allow_graceful=False)

    def start_anew(self) -> None:
        """Another cluster, with one node, in place of the one whose head was killed."""
        for node in list(self._cluster.worker_nodes):
            self._cluster.remove_node(node, allow_graceful=False)
        self._cluster = Cluster()
        self.start_head()
        self.add()

    def node_of(self, raylet_pid: int) -> str:
        """The id of the node that this raylet keeps."""
        nodes = {node.all_processes["raylet"][0].process.pid: node for node in self._cluster.worker_nodes}
        return str(nodes[raylet_pid].node_id)

    def kill(self, node_id: str) -> None:
        """SIGKILL for all of Ray's processes of the node."""
        node = next(node for node in self._cluster.worker_nodes if node.node_id == node_id)
        self._cluster.remove_node(node, allow_graceful=False)

    def preempt(self, node_id: str, deadline_s: float) -> None:
        """Announce that the node will be taken away, as the provider of a spot machine does."""
        reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        deadline_ms = int((time.time() + deadline_s) * 1000)
        taken, why = GcsClient(self.address).drain_node(node_id, reason, "the machine is taken away", deadline_ms)
        assert taken, why


def is_of_ray(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "ray" in process.name() or "gcs" in process.name()
    return False


def command(process: psutil.Process) -> str:
    """Its words in one; none of a process that has ended."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def described(process: psutil.Process) -> str:
    """In one line: its number and its parent's, its state, and its command."""
    with contextlib.suppress(psutil.Error):
        words = command(process) or process.name()
        return f"pid {process.pid}, parent {process.ppid()}, {process.status()}: {words[:300]}"
    return f"pid {process.pid}: it has ended"


def last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-SHOWN_LINES:])
