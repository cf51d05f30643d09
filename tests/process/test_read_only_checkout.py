"""The service as it is installed: code that its user may only read, state in another folder, blanks in both paths."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.published_models import check_published
from tests.process.service_under_test import NOT_SOURCE, REPOSITORY, ServiceUnderTest, wait_until
from tests.process.small_projects import SIDE_PX, make_digits_project

#: A user without a name, a home or a file on any machine.
UID = 61234
#: An interpreter below a closed folder, as /root, can be read with this capability. It gives no right to write.
#: The last option has access(2), which supervisord asks before it starts a program, take it into account.
READ_ALL = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--securebits=+no_setuid_fixup")


def as_other_user() -> list[str]:
    """The beginning of a command that root runs as UID; empty for everybody else, who is no root already."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is missing, so root cannot start the service as another user")
    plain = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs"]
    # A program that starts a program, as ours do: setpriv itself still has root's rights when it starts the first.
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import tornado'], check=True)"
    for command in (plain, [*plain, *READ_ALL]):
        tried = subprocess.run([*command, sys.executable, "-c", code], capture_output=True, check=False)
        if tried.returncode == 0:
            return command
    pytest.skip(f"another user cannot run {sys.executable}, and may not be given the right to read it")


def close_for_writing(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def give_to_user(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, UID, UID)


def listing(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in (folder, *folder.rglob("*"))}


@pytest.fixture
def installed() -> Iterator[ServiceUnderTest]:
    """The checkout in `code …`, the state folder in `state …`, side by side; not started."""
    command = as_other_user()
    with tempfile.TemporaryDirectory(prefix="tfm-") as folder:
        place = Path(folder).resolve()
        place.chmod(0o755)
        code, state = place / "code #1 ;100%", place / "it's the state"
        shutil.copytree(REPOSITORY, code, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        close_for_writing(code)
        state.mkdir()
        give_to_user(state)
        service = ServiceUnderTest(code, {"HOME": str(state), "WORKER_KEEP_SPARE": "false"}, command)
        service.environ["HOME"] = "/nonexistent"
        try:
            yield service
        finally:
            service.end()
            for path in (code, *code.rglob("*")):
                if path.is_dir():
                    path.chmod(0o755)


@pytest.mark.door(21)
def test_it_trains_and_stops_without_a_trace_in_the_code(installed: ServiceUnderTest) -> None:
    service = installed
    before = listing(service.root)
    done = service.command("start")
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(service.home / "log") in done.stdout
    assert 0 not in {uid for process in service.processes() for uid in process.uids()} or os.geteuid() != 0

    project = make_digits_project(service.projects / "digits")
    give_to_user(project)
    task_id = service.post(project, "classification", imageSize=SIDE_PX, epochs=1, exports="tflite")
    task = service.wait_for_end(task_id)
    check_published(project, task, others=frozenset())

    service.supervisorctl("restart", "broker", "server")
    wait_until(lambda: service.call("GET", "/readyz").status, lambda status: status == 200)
    assert service.task(str(task["taskId"]))["state"] == "done", "a restarted broker has found the same journal"

    done = service.command("backup", str(service.home / "backup"))
    assert done.returncode == 0, done.stderr
    done = service.command("stop")
    assert done.returncode == 0, done.stdout + done.stderr
    assert service.processes() == []
    assert listing(service.root) == before
    rights = {path.name: stat.S_IMODE(path.stat().st_mode) for path in service.home.iterdir()}
    assert (rights["run"], rights["var"], rights["log"]) == (0o700, 0o700, 0o750)
    assert rights["backup"] == 0o600
