"""Workers that Ray places on several nodes of one machine: they come with tasks, outlive the controller, and leave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason="ray is not installed; pip install -r requirements-cluster.txt")

from protocol.task import TaskState
from tests.cluster.controller_process import ControllerProcess, cluster_settings
from tests.cluster.ray_nodes import RayNodes
from tests.cluster.scripted_agent import BROKEN
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    """Two nodes with one CPU each. A test that takes one away adds another."""
    with RayNodes(2) as nodes:
        yield nodes


@contextmanager
def cluster(folder: Path, nodes: RayNodes, *pools: dict[str, Any], **settings: object) -> Iterator[ControllerProcess]:
    """A broker and a controller with these pools."""
    chosen = {**cluster_settings(nodes.address, *pools), "CLUSTER_NAMESPACE": folder.name, **settings}
    with Programs(folder, start=False, **chosen) as programs:
        programs.start("broker")
        with (
            ScriptedFrontEnd(programs.endpoints.web, programs.front_end_keys) as front_end,
            ControllerProcess(programs, front_end) as controller,
        ):
            yield controller


def test_workers_come_with_tasks_outlive_controller_and_broker_and_leave(tmp_path: Path, nodes: RayNodes) -> None:
    with cluster(tmp_path, nodes, {}) as controller:
        controller.wait_for_pool(wanted=0, running=0)
        tasks = [controller.submit(f"t{number}") for number in range(3)]
        names = controller.wait_for_busy(2)
        assert all(info.pool == "cpu" for info in controller.workers().values())
        agents = controller.agents()
        assert agents.keys() == names
        # The controller is killed and another one takes over, while the broker is away.
        controller.kill()
        controller.programs.kill("broker")
        controller.start()
        wait_until(lambda: "broker_away" in controller.log, "a controller that misses the broker")
        controller.programs.start("broker")
        pool = controller.wait_for_pool(wanted=2, running=2, starting=0)
        assert "max_workers" in pool.reason
        assert controller.agents() == agents, "no worker was lost, and none was started twice"
        for task in tasks:
            controller.wait_for_state(task, TaskState.PROCESSING)
            controller.finish(task)
            controller.wait_for_state(task, TaskState.DONE)
        controller.wait_for_pool(running=0, starting=0, draining=0)
        wait_until(lambda: not controller.agents(), "the end of all agents")
        assert [controller.task(task).attempt for task in tasks] == [1, 1, 1]


def test_the_task_of_a_node_that_is_taken_away_or_dies_goes_on_elsewhere(tmp_path: Path, nodes: RayNodes) -> None:
    with cluster(tmp_path, nodes, {"labels": {"room": "2"}}, BROKER_HOST="127.0.0.1") as controller:
        task = controller.submit("moved", needs=("room=2",))
        (first,) = controller.wait_for_busy(1)
        assert controller.workers()[first].labels == {"room": "2"}
        preempted = nodes.node_of(controller.raylet_of(first))
        nodes.preempt(preempted, deadline_s=60.0)
        controller.wait_for_attempt(task, 2)
        (end,) = controller.task(task).ended_attempts
        assert (end.code, end.counted, end.worker) == ("preempted", False, first)
        wait_until(lambda: first not in controller.agents(), "the end of the first worker")
        (second,) = controller.wait_for_busy(1)
        nodes.kill(nodes.node_of(controller.raylet_of(second)))
        nodes.add()
        controller.wait_for_attempt(task, 3)
        ends = controller.task(task).ended_attempts
        assert [(end.code, end.counted) for end in ends] == [("preempted", False), ("handed_back", False)]
        wait_until(lambda: second not in controller.agents(), "no agent without its node")
        controller.finish(task)
        controller.wait_for_state(task, TaskState.DONE)
        story = controller.programs.run("-m", "broker", "story", task).stdout
        assert "preempted" in story
        assert "handed_back" in story
        assert "tfk1_" not in controller.log, "the keys of workers stand in no log"
        nodes.kill(preempted)
        nodes.add()


def test_status_says_why_a_pool_has_no_workers_and_down_ends_the_controller(tmp_path: Path, nodes: RayNodes) -> None:
    no_place = {"name": "gpu", "labels": {"gpu": "a100"}, "num_gpus": 1}
    with cluster(tmp_path, nodes, {"environment": {BROKEN: "1"}}, no_place) as controller:
        controller.submit("broken")
        controller.submit("unplaced", needs=("gpu",))
        controller.wait_for_reason("Failed starts: 2")
        controller.wait_for_reason("No node of the Ray cluster has CPU=1, GPU=1.")
        said = controller.command("status").stdout
        assert "this agent is broken" in said, said
        assert "No node of the Ray cluster has CPU=1, GPU=1." in said
        second = controller.command("up")
        assert second.returncode == 1
        assert "Another controller runs" in second.stderr
        down = controller.command("down", "--now")
        assert down.returncode == 0, down.stderr
        assert controller.wait_for_end() == 0
        assert controller.command("status").returncode == 1
