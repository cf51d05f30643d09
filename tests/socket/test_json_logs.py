"""[log] format = "json": all programs write JSON lines, from their first line to their last."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from conf.settings import ROOT
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S, wait_until
from trainer_worker.training.settings import TrainerSettings


def lines(text: str, program: str) -> dict[str, dict[str, Any]]:
    """The lines by their actions. Every line must be JSON."""
    decoded = [json.loads(line) for line in text.splitlines()]
    assert {line["program"] for line in decoded} == {program}
    return {line["action"]: line for line in decoded}


def test_broker_and_front_end(tmp_path: Path) -> None:
    with Programs(tmp_path, LOG_FORMAT="json") as programs:
        task_id = programs.post_id()
        programs.get("/nothing")
        with ScriptedWorker(programs.endpoints.worker) as worker:
            worker.join().send_frames([b"TFM0", b"nonsense"])
            wait_until(lambda: "broker.bad_frame" in programs.log_of("broker"), "the line about the bad frame")
        for name in ("web", "broker"):
            assert programs.stop(name, signal.SIGTERM) == 0
        web, broker = lines(programs.log_of("web"), "web"), lines(programs.log_of("broker"), "broker")
    # Of a flood of refusals, such as those until the broker was there, only the first are logged.
    assert web["web.answered"]["status"] in (404, 503)
    assert web["web.listening"]["pid"] > 0
    assert "web.stopped" in web
    assert broker["task.submitted"]["task"] == task_id
    assert broker["broker.bad_frame"]["count"] == 1


def test_agent(tmp_path: Path) -> None:
    with Programs(tmp_path, LOG_FORMAT="json", WORKER_KEEP_SPARE="false") as programs:
        log = tmp_path / "worker.log"
        with log.open("wb") as stderr:
            words = [sys.executable, "-m", "trainer_worker", "--name", "w1"]
            agent = subprocess.Popen(words, cwd=ROOT, env=programs.environ, stderr=stderr, stdin=subprocess.DEVNULL)
        try:
            wait_until(lambda: "worker.welcomed" in log.read_text(), "the worker's registration")
            trainers = psutil.Process(agent.pid).children
            wait_until(
                lambda: any('"log_format":"json"' in word for each in trainers() for word in each.cmdline()),
                "the trainer process with the setting",
            )
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait(TIMEOUT_S)
    seen = lines(log.read_text(), "worker.w1")
    assert seen["worker.started"]["name"] == "w1"
    assert seen["trainer.spawned"]["number"] >= 1


def test_trainer_process(tmp_path: Path) -> None:
    """Nothing but an error makes it write a line before its first task; here its descriptor is none."""
    settings = TrainerSettings(
        cache_dir=tmp_path, weights_dir=tmp_path, backbone_dir=tmp_path, threads=1, log_format="json"
    ).packed()
    words = [sys.executable, "-m", "trainer_worker.training.child", "-1", str(os.getpid()), settings]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    (line,) = lines(done.stderr, "trainer").values()
    assert line["action"] == "program.failed"
    assert "ValueError" in line["trace"]
