"""Workers that Ray places on several nodes of one machine: they come with tasks, outlive the controller, and leave."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ray", reason="ray is not installed; pip install -r requirements-cluster.txt")

from protocol.task import TaskState
from tests.cluster.controller_process import ControllerProcess, cluster_settings
from tests.cluster.ray_nodes import RayNodes
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.waiting import wait_until


def test_workers_come_with_tasks_outlive_controller_and_broker_and_leave(tmp_path: Path) -> None:
    with (
        RayNodes(2) as nodes,
        Programs(tmp_path, start=False, **cluster_settings(nodes.address, {})) as programs,
    ):
        programs.start("broker")
        with (
            ScriptedFrontEnd(programs.endpoints.web) as front_end,
            ControllerProcess(programs, front_end) as controller,
        ):
            controller.wait_for_pool(wanted=0, running=0)
            tasks = [controller.submit(f"t{number}") for number in range(3)]
            names = controller.wait_for_busy(2)
            assert all(info.pool == "cpu" for info in controller.workers().values())
            agents = controller.agents()
            assert agents.keys() == names
            # The controller is killed and another one takes over, while the broker is away.
            controller.kill()
            programs.kill("broker")
            controller.start()
            wait_until(lambda: "broker_away" in controller.log, "a controller that misses the broker")
            programs.start("broker")
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
