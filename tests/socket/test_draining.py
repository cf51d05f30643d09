"""Draining a worker, with a real broker that is killed in between."""

from __future__ import annotations

from pathlib import Path

from protocol import messages as m
from tests.sample_scrape import Scrape
from tests.sample_tasks import hex_id, make_spec
from tests.socket.programs import Programs
from tests.socket.scripted_front_end import ScriptedFrontEnd
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

TASK = hex_id("drained")


def test_a_drained_worker_gets_no_task_also_after_a_restart_of_the_broker(tmp_path: Path) -> None:
    with Programs(tmp_path, start=False) as programs:
        programs.start("broker")
        with (
            ScriptedWorker(programs.endpoints.worker) as worker,
            ScriptedFrontEnd(programs.endpoints.web) as front_end,
        ):
            worker.join()
            answer = front_end.ask(m.Workers, lambda number: m.DrainWanted(number, "w1", True))
            assert [(info.worker, info.draining) for info in answer.workers] == [("w1", True)]
            while worker.receive(m.Pulse).drain is not True:
                pass
            refused = front_end.ask(m.Refused, lambda number: m.DrainWanted(number, "w2", True))
            assert refused.code == "unknown_worker"
            programs.kill("broker")
            programs.start("broker")
            worker.knock(m.Heartbeat(ready=False, draining=True))
            worker.send(m.Hello(worker.name, worker.start_id, "test", ("classification",), draining=True))
            worker.receive(m.Welcome)
            spec = make_spec(TASK, project_path=str(programs.projects / "anna" / "flowers"), request_id="r-77")
            submitted = front_end.ask(m.TaskReply, lambda number: m.Submit(number, spec))
            assert submitted.task.thread == ""
            worker.heartbeat(ready=False)
            (info,) = front_end.ask(m.Workers, lambda number: m.DrainWanted(number, "w1", False)).workers
            assert not info.draining
            worker.send(m.Heartbeat(ready=True))
            assert worker.receive(m.Start).spec.task_id == TASK
            wait_until(lambda: programs.log_of("broker").count("request=r-77") == 2, "both facts in the log")


def test_an_operator_drains_a_worker_by_http(tmp_path: Path) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        drained = programs.call("POST", "/v1/workers/w1/drain")
        assert (drained.status, drained.body["name"], drained.body["state"]) == (200, "w1", "draining")
        task_id = programs.post_id()
        worker.heartbeat(ready=True)
        assert programs.task(task_id).body["state"] == "pending"
        worker.send(m.Heartbeat(False, None, True, ("CPU",), 512.0, 3))
        (listed,) = programs.get("/v1/workers").body["workers"]
        assert listed["state"] == "draining"
        # A tick from before may say that the worker is free.
        wait_until(
            lambda: "all workers are draining" in programs.get("/readyz").body.get("error", ""), "a tick that says so"
        )
        undrained = programs.call("DELETE", "/v1/workers/w1/drain")
        assert undrained.body["state"] == "starting", "until it has said that it is ready"
        worker.send(m.Heartbeat(True, memory_mb=512.0))
        assert worker.receive(m.Start).spec.task_id == task_id
        for name in ("nobody", "no%20name", "x" * 200):
            refused = programs.call("POST", f"/v1/workers/{name}/drain")
            assert (refused.status, refused.body["code"]) == (404, "unknown_worker"), name
        port = programs.ports["WEB_PORT"]
        wait_until(
            lambda: Scrape(port).value("tfmodel_worker_memory_bytes", worker="w1") == 512.0 * 2**20,
            "a tick with the worker's memory",
        )
