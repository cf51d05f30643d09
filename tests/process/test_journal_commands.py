"""`python server.py backup | restore | start --new-journal` with a real service, and what a killed backup leaves."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker.facts import Record, Submitted, evolve
from broker.sqlite_journal.backup import UNFINISHED
from broker.sqlite_journal.file import examine, lock_path
from broker.sqlite_journal.journal import SqliteJournal
from tests.process.service_under_test import PATIENCE_S, ServiceUnderTest, pause, wait_until
from tests.sample_tasks import make_spec

#: Enough for a copy that takes a while.
MANY_TASKS = 60_000


@pytest.fixture
def journal(stopped: ServiceUnderTest) -> Path:
    return stopped.root / "var" / "journal.sqlite3"


def failed_task(service: ServiceUnderTest, name: str) -> str:
    """The id of a task that has failed for want of photos: one more in the journal, without a training."""
    (service.projects / name).mkdir()
    task_id = service.post(service.projects / name, "classification")
    service.wait_for_end(task_id, "failed")
    return task_id


@pytest.mark.door(18)
def test_a_lost_journal_comes_back_from_a_backup(stopped: ServiceUnderTest, journal: Path, tmp_path: Path) -> None:
    service, backup = stopped, tmp_path / "backup of monday"
    assert service.command("start").returncode == 0
    first = failed_task(service, "first")
    done = service.command("backup", str(backup))
    assert (done.returncode, "1 tasks" in done.stdout) == (0, True), done.stdout + done.stderr
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    again = service.command("backup", str(backup))
    assert (again.returncode, "--force" in again.stderr) == (1, True)
    second = failed_task(service, "second")
    assert service.command("backup", str(backup), "--force").returncode == 0
    third = failed_task(service, "third")

    refused = service.command("restore", str(backup))
    assert (refused.returncode, "stop it" in refused.stderr) == (1, True), refused.stderr
    assert service.task(third)["state"] == "failed"

    assert service.command("stop").returncode == 0
    for file in journal.parent.glob(journal.name + "*"):
        if file != lock_path(journal):
            file.unlink()
    refused = service.command("start")
    assert refused.returncode == 1
    assert "has vanished" in refused.stderr
    assert "server.py restore" in refused.stderr
    assert service.processes() == []

    done = service.command("restore", str(backup))
    assert (done.returncode, "2 tasks" in done.stdout) == (0, True), done.stdout + done.stderr
    assert service.command("start").returncode == 0
    assert [service.task(task_id)["state"] for task_id in (first, second)] == ["failed", "failed"]
    assert service.call("GET", f"/v1/tasks/{third}").status == 404


@pytest.mark.door(18)
def test_a_start_in_the_foreground_begins_anew_where_it_is_told_to(stopped: ServiceUnderTest, journal: Path) -> None:
    journal.parent.mkdir()
    journal.write_text("This is no database. " * 100)
    refused = stopped.command("start", "--foreground")
    assert refused.returncode == 1
    assert "no SQLite file" in refused.stderr
    words = [sys.executable, "server.py", "start", "--foreground", "--new-journal"]
    process = subprocess.Popen(
        words, cwd=stopped.root, env=stopped.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        stopped.wait_until_free()
        assert stopped.command("status").returncode == 0
        assert examine(journal).tasks == 0
        (aside,) = journal.parent.glob("journal.sqlite3.until-*")
        assert aside.read_text().startswith("This is no database.")
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0
    assert str(aside) in said
    assert stopped.processes() == []


def kill_a_backup(service: ServiceUnderTest, target: Path, number: signal.Signals) -> None:
    """Kill a backup in the midst of its copy. One that is finished first is whole, and the next is tried."""
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "server.py", "backup", str(target)], cwd=service.root, env=service.environ
        )
        unfinished = target.with_name(UNFINISHED.format(pid=process.pid))
        while process.poll() is None and not unfinished.exists():
            pause(0.001)
        process.send_signal(number)
        code = process.wait(PATIENCE_S)
        if code == -number and not target.exists():
            return
        assert code in (0, -number)
        assert examine(target).tasks == MANY_TASKS
        target.unlink()
    pytest.fail("each of 20 backups was finished before it could be killed")


@pytest.mark.door(18)
def test_a_killed_backup_leaves_no_half_file(stopped: ServiceUnderTest, journal: Path, tmp_path: Path) -> None:
    with SqliteJournal(journal) as opened:
        records = [
            Record(seq, 1.0, f"{seq:032x}", Submitted(make_spec(f"{seq:032x}"))) for seq in range(1, MANY_TASKS + 1)
        ]
        opened.append(records, [evolve(None, record) for record in records])
    target = tmp_path / "backup"
    for number in (signal.SIGKILL, signal.SIGTERM):
        kill_a_backup(stopped, target, number)
    done = stopped.command("backup", str(target))
    assert (done.returncode, f"{MANY_TASKS} tasks" in done.stdout) == (0, True), done.stderr
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.door(18)
def test_a_broker_that_gave_up_over_its_journal_is_not_silent(stopped: ServiceUnderTest, journal: Path) -> None:
    service = stopped
    assert service.command("start").returncode == 0
    service.supervisorctl("stop", "broker")
    journal.write_text("This is no database. " * 100)
    # On a busy machine supervisord calls the program started before it has ended, so the answer is not looked at.
    service.program("-m", "supervisor.supervisorctl", "-c", "supervisord.conf", "start", "broker")
    wait_until(lambda: service.program_info("broker").state, lambda state: state in ("EXITED", "FATAL"))
    status = service.command("status")
    assert status.returncode == 1
    assert "broker has ended" in status.stderr
    assert "restore" in status.stderr
    # It is not tried again and again. supervisord tries a program that ends within its first second three times more;
    # on a busy machine one of these tries takes longer than the second, and is then the last.
    assert 1 <= service.log("broker").count("action=broker.gave_up") <= 4
    # What the front-end knows by itself it still says.
    assert service.call("GET", "/healthz").status == 200
