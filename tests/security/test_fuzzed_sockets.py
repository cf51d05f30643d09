"""A short share of the fuzzing of the sockets: the service answers, and a worker's task goes on undisturbed."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol import messages as m
from tests.security.fuzz_sockets import fuzz_sockets
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

INPUTS = 300


@pytest.mark.parametrize("seed", [1, 2])
def test_nonsense_at_every_socket_keeps_nobody_from_an_answer(tmp_path: Path, seed: int) -> None:
    with Programs(tmp_path) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        task_id = programs.post_id()
        start = worker.receive(m.Start)

        def answers() -> bool:
            worker.send(m.Heartbeat(False, m.Holding(task_id, start.attempt)))
            return programs.task(task_id).body["state"] == "processing" and programs.post().status == 200

        folder = str(programs.projects / "anna" / "flowers")
        counts = fuzz_sockets(programs.settings, folder, INPUTS, seed, answers)
        assert counts == {"inputs": INPUTS, "not_answering": 0}
        worker.finish(start)
        wait_until(lambda: programs.task(task_id).body["state"] == "done", "the end of the task")
        assert programs.get(f"/v1/tasks/{task_id}").body["attempt"] == 1
        assert "Traceback" not in programs.log_of("broker") + programs.log_of("web")
