"""Doors that an operator would find open: forged log lines, a broken or lost journal, warm processes, rights of files.

A real service, and strangers who choose the names of files and folders and post what cannot be trained.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image

from broker.__main__ import end_without_journal
from broker.facts import Record, Submitted, evolve
from broker.sqlite_journal.file import MIGRATIONS, failure
from broker.sqlite_journal.journal import SqliteJournal
from conf.logs import INDENT, MOST_CHARACTERS
from conf.settings import EXIT_BAD_SETTINGS
from protocol.task import Task, TaskState
from service.service_commands import START_TIMEOUT_S
from tests.process.service_under_test import ServiceUnderTest, service_copy
from tests.sample_tasks import make_spec
from tests.socket.programs import Programs
from tests.waiting import TIMEOUT_S

WORKER = "trainer_worker:trainer_worker_0"
FORGED = "2026-11-29T10:00:00.000 INFO broker action=task.done task=forged"
#: As the formatter writes a record's beginning, and as supervisord writes its own lines.
RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} [A-Z]+ [\w.-]+ action=")
SUPERVISORD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]{4} ")
#: Longer than any refusal takes, shorter than `start` waits for a broker that cannot run.
REFUSED_WITHIN_S = START_TIMEOUT_S / 2
MANY_TASKS = 30_000


@pytest.fixture(scope="module")
def running() -> Iterator[ServiceUnderTest]:
    with service_copy(WORKER_KEEP_SPARE="false") as service:
        done = service.command("start")
        assert done.returncode == 0, done.stdout + done.stderr
        yield service


@pytest.fixture
def stopped() -> Iterator[ServiceUnderTest]:
    with service_copy(WORKER_KEEP_SPARE="false") as service:
        yield service


# ---- the log ----


def hostile_project(folder: Path, break_mark: str) -> Path:
    """One class of unreadable pictures; its name and theirs begin lines of their own and turn the writing."""
    images = folder / "images" / f"red{break_mark}{FORGED}"
    images.mkdir(parents=True)
    for name in (f"a{break_mark}{FORGED}.png", "\x1b]0;owned\x07\u202egnp.exe", "\u2028" + "x" * 200 + ".png"):
        (images / name).write_bytes(b"no picture")
    (folder / "labels_info.txt").write_text(f"name,index\nred\x0b{FORGED}\u2028{'y' * 5000},0\n")
    return folder


@pytest.mark.door(20)
@pytest.mark.parametrize("break_mark", ["\n", "\r", "\x85", "\u2028", "\x0b"], ids=ascii)
def test_no_name_writes_a_line_into_a_log(running: ServiceUnderTest, break_mark: str) -> None:
    project = hostile_project(running.projects / f"p{ord(break_mark):x}", break_mark)
    running.wait_for_end(running.post(project, "classification", imageSize=64), "failed")
    running.call("GET", "/?taskId=%0a%0d%85" + FORGED.replace(" ", "%20"))
    running.call("GET", "/" + "z" * 8000)
    for log in sorted((running.root / "log").glob("*.log")):
        begins = SUPERVISORD if log.name == "supervisord.log" else RECORD
        for line in log.read_text(errors="replace").splitlines():
            # TensorFlow's own start-up lines come from C++ and name nothing of a stranger's.
            ours = begins.match(line) or line.startswith(INDENT)
            assert ours or "forged" not in line, f"{log.name}: {line!r}"
            assert not line.startswith(FORGED), f"{log.name}: {line!r}"
            assert len(line) <= MOST_CHARACTERS, f"{log.name}: a line of {len(line)} characters"
            assert line.isprintable(), f"{log.name}: {line!r}"


@pytest.mark.door(20)
def test_the_story_of_a_task_steers_no_terminal(running: ServiceUnderTest) -> None:
    folder = running.projects / "\u202egnp.exe"
    folder.mkdir()
    task_id = running.post(folder, "classification")
    running.wait_for_end(task_id, "failed")
    done = running.program("-m", "broker", "story", task_id)
    assert done.returncode == 0, done.stderr
    assert "\\u202egnp.exe" in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())


# ---- warm processes ----


@pytest.mark.door(19)
def test_folders_that_cannot_be_trained_cost_nobody_a_warm_process(running: ServiceUnderTest) -> None:
    running.wait_until_free()
    agent = running.pid_of(WORKER)
    before = [trainer.pid for trainer in running.trainers_of(agent)]
    empty, flat = running.projects / "empty", running.projects / "one class"
    empty.mkdir()
    (flat / "images" / "red").mkdir(parents=True)
    for number in range(4):
        Image.new("RGB", (64, 64), (200, number, 0)).save(flat / "images" / "red" / f"{number}.png")
    barred = running.projects / "models is a file"
    shutil.copytree(flat, barred)
    (barred / "images" / "blue").mkdir()
    for number in range(4):
        Image.new("RGB", (64, 64), (0, number, 200)).save(barred / "images" / "blue" / f"{number}.png")
    (barred / "models").touch()
    tasks = [
        running.wait_for_end(running.post(empty, "classification"), "failed"),
        running.wait_for_end(running.post(empty, "segmentation"), "failed"),
        running.wait_for_end(running.post(flat, "classification"), "failed"),
        running.wait_for_end(running.post(flat, "classification", backbone="resnet50_v2"), "failed"),
        running.wait_for_end(running.post(barred, "classification", epochs=1, exports="tflite"), "failed"),
    ]
    assert {task["code"] for task in tasks} >= {"no_images", "too_few_classes", "project_dir_not_writable"}
    assert [task["attempt"] for task in tasks] == [1] * len(tasks)
    assert [trainer.pid for trainer in running.trainers_of(agent)] == before


# ---- rights ----


@pytest.mark.door(21)
def test_what_the_service_writes_for_itself_is_closed_to_others(running: ServiceUnderTest) -> None:
    def rights(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert rights(running.root / "run") == 0o700
    assert rights(running.root / "run" / "supervisor.sock") == 0o700
    assert rights(running.root / "log") & 0o007 == 0
    journals = list((running.root / "var").glob("journal.sqlite3*"))
    assert len(journals) >= 3
    assert {rights(path) for path in journals} == {0o600}


# ---- the journal ----


def write_journal(path: Path) -> None:
    with SqliteJournal(path) as journal:
        records = [Record(seq, 1.0, f"{seq:032x}", Submitted(make_spec(f"{seq:032x}"))) for seq in range(1, 301)]
        journal.append(records, [evolve(None, record) for record in records])


def run_sql(path: Path, sql: str) -> None:
    with sqlite3.connect(path) as db:
        db.execute(sql)
    db.close()


def make_foreign(path: Path) -> None:
    path.unlink()
    run_sql(path, "CREATE TABLE songs (title TEXT)")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def lose_all_but_a_model(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()
    model = path.parent.parent / "projects" / "x" / "models" / "0123"
    model.mkdir(parents=True)
    (model / "manifest.json").write_text("{}")


def scribble(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        # Not drawn anew in each run: one draw in a hundred could be read as pages without the row that is asked for.
        file.write(random.Random(1).randbytes(path.stat().st_size - 4096))


BREAKAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "random bytes": (lambda path: path.write_bytes(random.Random(1).randbytes(50_000)), "damaged or is no SQLite file"),
    "truncated": (lambda path: os.truncate(path, path.stat().st_size // 8192 * 4096), "damaged"),
    "scribbled over": (scribble, "damaged"),
    "foreign": (make_foreign, "not a journal of TFModel"),
    "newer": (lambda path: run_sql(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}"), "newer release"),
    "a folder": (make_folder, "is a folder"),
    "vanished": (lambda path: path.unlink(), "has vanished"),
    "vanished with its lock, beside a model": (lose_all_but_a_model, "there are models"),
}


@pytest.mark.door(18)
@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_start_says_what_is_wrong_with_the_journal_and_starts_nothing(
    stopped: ServiceUnderTest, breakage: str
) -> None:
    journal = stopped.root / "var" / "journal.sqlite3"
    write_journal(journal)
    break_it, words = BREAKAGES[breakage]
    break_it(journal)
    before = {path: path.read_bytes() for path in journal.parent.iterdir() if path.is_file()}
    for more in ([], ["--foreground"]):
        began_s = time.monotonic()
        done = stopped.command("start", *more)
        assert time.monotonic() - began_s < REFUSED_WITHIN_S
        assert done.returncode == 1
        assert words in done.stderr
        assert str(journal) in done.stderr
        assert "restore" in done.stderr or breakage == "a folder"
        assert "Traceback" not in done.stderr
        assert stopped.processes() == []
    after = {path: path.read_bytes() for path in before}
    assert after == before


@pytest.mark.door(18)
@pytest.mark.parametrize("breakage", ["random bytes", "scribbled over", "foreign", "newer", "a folder", "vanished"])
def test_a_broker_ends_for_good_over_a_journal_that_only_a_person_can_mend(tmp_path: Path, breakage: str) -> None:
    with Programs(tmp_path, start=False) as programs:
        write_journal(programs.journal)
        BREAKAGES[breakage][0](programs.journal)
        programs.start("broker")
        assert programs.wait_for_exit("broker") == EXIT_BAD_SETTINGS
        last = (tmp_path / "broker.log").read_text().splitlines()[-1]
        assert "CRITICAL broker action=broker.gave_up reason=" in last
        assert str(programs.journal) in last


@pytest.mark.door(18)
def test_a_journal_that_breaks_under_a_running_broker_ends_it_for_good(tmp_path: Path) -> None:
    with Programs(tmp_path, start=False) as programs:
        # More than the broker holds in memory, so that asking for the oldest reads the file.
        ended = [Task(make_spec(f"{n:032x}"), TaskState.DONE, ended_at_s=time.time()) for n in range(MANY_TASKS)]
        with SqliteJournal(programs.journal) as journal:
            journal.append([], ended)
        programs.start("broker")
        programs.start("web")
        programs.wait_synced()
        scribble(programs.journal)
        # Nobody answers this call any more, so its answer is not waited for.
        asking = http.client.HTTPConnection("127.0.0.1", programs.ports["WEB_PORT"], timeout=TIMEOUT_S)
        with closing(asking):
            asking.request("GET", f"/?taskId={ended[0].task_id}")
            assert programs.wait_for_exit("broker") == EXIT_BAD_SETTINGS
        log = programs.log_of("broker")
        assert "action=broker.journal_failed" in log
        assert "action=broker.gave_up" in log.splitlines()[-1]


@pytest.mark.door(18)
def test_a_journal_that_fails_and_is_sound_ends_the_broker_for_a_new_try(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    write_journal(path)
    for error in (sqlite3.OperationalError("database or disk is full"), sqlite3.DatabaseError("malformed")):
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT if "malformed" in str(error) else sqlite3.SQLITE_FULL
        child = os.fork()
        if child == 0:
            end_without_journal(failure(path, error))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
