"""The keys of a worker on another machine reach its agent, and nobody else."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from conf.settings import EXIT_BAD_SETTINGS, ROOT
from tests.process.service_under_test import words_of
from tests.socket.programs import Programs
from tests.waiting import TIMEOUT_S, wait_until


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("service"), BROKER_HOST="127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def joining(programs: Programs) -> dict[str, str]:
    """The environment that `join-command` tells the other machine to have."""
    done = programs.run("server.py", "join-command", "--json")
    words = shlex.split(json.loads(done.stdout)["command"])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TFMODEL_")}
    home = {"TFMODEL_HOME": str(programs.folder / "far"), "TFMODEL_WORKER_KEEP_SPARE": "false"}
    return inherited | home | dict(word.split("=", 1) for word in words if "=" in word)


def children_of(pid: int) -> list[psutil.Process]:
    """Empty while one of them is still the copy of its parent that a fork makes, before it becomes another program."""
    parent = psutil.Process(pid)
    children = parent.children(recursive=True)
    return [] if any(words_of(child) in ([], parent.cmdline()) for child in children) else children


@pytest.mark.door(29)
def test_the_keys_of_a_worker_stand_in_no_argument_log_or_child(programs: Programs, joining: dict[str, str]) -> None:
    keys = joining["TFMODEL_KEYS"]
    log = programs.folder / "far.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "trainer_worker", "--name", "far"],
            cwd=ROOT,
            env=joining,
            stdout=output,
            stderr=output,
        )
    try:
        names = wait_until(lambda: [each["name"] for each in programs.get("/v1/workers").body["workers"]], "the worker")
        assert names == ["far"]
        trainers = wait_until(lambda: children_of(worker.pid), "its trainer process")
        for process in trainers:
            assert keys not in " ".join(process.environ().values())
        for process in (psutil.Process(worker.pid), *trainers):
            assert keys not in " ".join(process.cmdline())
        logs = [log.read_text(), programs.log_of("broker"), programs.log_of("web")]
        assert not [text for text in logs if keys in text]
    finally:
        worker.terminate()
        worker.wait(TIMEOUT_S)


@pytest.mark.door(29)
@pytest.mark.parametrize("broken", ["cut off", "mistyped", "a token", "without a broker"])
def test_keys_that_are_not_whole_are_refused_without_repeating_them(joining: dict[str, str], broken: str) -> None:
    keys = joining["TFMODEL_KEYS"]
    sent = {"cut off": keys[:-7], "mistyped": keys[:30] + keys[31:] + "A", "a token": "tfm_" + keys[5:]}.get(
        broken, keys
    )
    environ = {**joining, "TFMODEL_KEYS": sent, **({"TFMODEL_BROKER": ""} if broken == "without a broker" else {})}
    done = subprocess.run(
        [sys.executable, "-m", "trainer_worker"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == EXIT_BAD_SETTINGS
    assert "TFMODEL_KEYS" in done.stderr
    assert "Traceback" not in done.stderr
    assert keys[5:25] not in done.stdout + done.stderr
