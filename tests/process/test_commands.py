"""`python server.py start | stop | restart | status`, on a machine where things are as they should be, and not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import psutil
import pytest

from broker.sqlite_journal.file import lock_path
from broker.sqlite_journal.journal import SqliteJournal
from tests.process.service_under_test import COMMAND_TIMEOUT_S, ServiceUnderTest, is_alive, wait_until, words_of

EXIT_BAD_SETTINGS = 78


def groups_of(processes: list[psutil.Process]) -> set[int]:
    return {os.getpgid(process.pid) for process in processes}


def members_of(groups: set[int]) -> list[int]:
    """Living processes of the process groups."""
    members = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) in groups and is_alive(process):
                members.append(process.pid)
        except ProcessLookupError:
            continue
    return members


def check_failed_start(service: ServiceUnderTest, done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Exit code 1, the words on stderr, and nothing left running."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert [word for word in words if word not in done.stderr] == [], done.stderr
    assert "Traceback" not in done.stderr.partition("Last lines of")[0]
    assert service.processes() == []
    assert service.command("status").returncode == 3


def test_life_of_a_service(stopped: ServiceUnderTest) -> None:
    service = stopped
    assert service.command("status").returncode == 3

    done = service.command("start")
    assert done.returncode == 0, done.stdout + done.stderr
    for word in (service.address, "workers  1", str(service.root / "log")):
        assert word in done.stdout
    assert service.call("GET", "/readyz").body["ready"] is True
    first = service.processes()
    assert {"broker", "server", "trainer_worker_0"} <= {word for p in first for word in _program(p)}

    again = service.command("start")
    assert (again.returncode, "running already" in again.stdout) == (0, True)
    assert service.processes() == first
    assert service.command("status").returncode == 0

    service.supervisorctl("stop", "trainer_worker:*")
    wait_until(lambda: service.call("GET", "/readyz").status, lambda status: status == 503)
    status = service.command("status")
    assert status.returncode == 1
    assert "no worker is registered" in status.stderr

    groups = groups_of(service.processes()) | groups_of([p for p in first if is_alive(p)])
    restarted = service.command("restart")
    assert restarted.returncode == 0, restarted.stdout + restarted.stderr
    said = restarted.stdout.splitlines()
    assert said[0].startswith("Stopping TFModel.")
    assert said[1:4] == ["TFModel has stopped.", "Starting TFModel …", f"TFModel is ready at {service.address}"]
    status = json.loads(service.command("status", "--json").stdout)
    assert (status["ready"], status["url"], len(status["programs"])) == (True, service.address, 3)
    assert service.call("GET", "/readyz").body["ready"] is True
    assert not [process for process in first if is_alive(process)]

    groups |= groups_of(service.processes())
    done = service.command("stop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert service.processes() == []
    assert members_of(groups) == []
    again = service.command("stop")
    assert (again.returncode, "not running" in again.stdout) == (0, True)
    assert service.command("status").returncode == 3


def test_a_taken_port(stopped: ServiceUnderTest) -> None:
    port = stopped.ports["BROKER_WORKER_PORT"]
    with socket.create_server(("127.0.0.1", port)):
        done = stopped.command("start", BROKER_HOST="127.0.0.1")
    check_failed_start(stopped, done, str(port), "[broker] worker_port", "TFMODEL_BROKER_WORKER_PORT")


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("WEB_PORT", "eighty", ("[web] port", "eighty")),
        ("WEB_PROT", "80", ("TFMODEL_WEB_PROT",)),
        ("WEB_HOST", "0.0.0.0", ("token create", "allow_anonymous")),
    ],
)
def test_a_bad_setting(stopped: ServiceUnderTest, variable: str, value: str, words: tuple[str, ...]) -> None:
    check_failed_start(stopped, stopped.command("start", **{variable: value}), *words)


def test_each_program_exits_over_a_bad_setting(stopped: ServiceUnderTest) -> None:
    environ = stopped.environ | {"TFMODEL_BROKER_LEASE_TTL_S": "soon"}
    for words in (["-m", "broker"], ["server.py", "run"], ["-m", "trainer_worker"]):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=stopped.root,
            env=environ,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == EXIT_BAD_SETTINGS, words
        assert "[broker] lease_ttl_s" in done.stderr


def test_a_broker_that_dies_again_and_again(stopped: ServiceUnderTest) -> None:
    journal = stopped.root / "var" / "journal.sqlite3"
    SqliteJournal(journal).close()
    lock_path(journal).unlink()
    lock_path(journal).mkdir()
    done = stopped.command("start")
    check_failed_start(stopped, done, "The program broker", "Last lines of", "journal.sqlite3")


def test_a_worker_that_dies(stopped: ServiceUnderTest) -> None:
    cache = stopped.root / "cache"
    cache.write_text("not a folder")
    done = stopped.command("start", WORKER_CACHE_DIR=str(cache))
    check_failed_start(stopped, done, "The program trainer_worker_0", "Last lines of", str(cache))


def _program(process: psutil.Process) -> list[str]:
    return [word.removesuffix(".py") for word in words_of(process)[1:]]
