"""The log of a task and its epochs: bounded, one line at a time, and never harmful to the training."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conf.directory import Directory
from protocol.epochs import EpochRecord
from protocol.errors import TrainingError
from protocol.project_layout import EPOCHS, LOG, MOST_LOG_BYTES
from tests.project_folders import open_project
from tests.sample_tasks import hex_id
from tests.security.project_worker import ProjectWorker, make_project, spec_of
from trainer_worker.attempt.job import Cancelled
from trainer_worker.project import task_log
from trainer_worker.project.task_log import ENDS_BYTES, Level, TaskLog

T1 = hex_id("t1")
RECORD = EpochRecord(1, "train", "", 1, 20, "2026-11-29T20:00:00.123+00:00", {"loss": 0.5})
SECRET = "somebody else's"


def folder_of(project: Path, name: str = "t1") -> Path:
    return project / ".tfmodel" / "tasks" / hex_id(name)


def sentences(project: Path, name: str = "t1") -> list[str]:
    """The lines of the log without their times; each must have one."""
    lines = [line for line in (folder_of(project, name) / LOG).read_text().splitlines() if line]
    for line in lines:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00 (INFO|WARNING|ERROR) ", line), line
    return [line.partition(" ")[2] for line in lines]


@pytest.fixture
def worker(tmp_path: Path) -> ProjectWorker:
    (tmp_path / "projects").mkdir()
    return ProjectWorker(tmp_path / "projects", tmp_path / "cache")


def test_a_task_that_is_done_tells_its_story(worker: ProjectWorker) -> None:
    project = make_project(worker.root / "flowers")
    result = worker.run(spec_of(project))
    assert result.trained is not None
    story = sentences(project)
    assert story[0] == "INFO Attempt 1 begins: classification with the default options."
    assert story[1] == "INFO Stage train begins."
    assert story[2] == "INFO Epoch 1 of 2: loss 0.5."
    assert re.fullmatch(r"INFO Stage train took \d+\.\d{3} s\.", story[3])
    assert "no earlier model" in story[4]
    assert re.fullmatch(r"INFO After \d+\.\d s, attempt 1 is done: accuracy 90\.0 %\.", story[5])
    (line,) = (folder_of(project) / EPOCHS).read_text().splitlines()
    epoch = msgspec.json.decode(line, type=EpochRecord)
    assert (epoch.attempt, epoch.stage, epoch.epoch, epoch.epochs_max) == (1, "train", 1, 2)
    assert epoch.metrics == {"loss": 0.5}
    assert not (folder_of(project) / "checkpoints").exists()


def test_a_model_that_is_taken_over_says_so_and_has_artifacts(worker: ProjectWorker) -> None:
    project = make_project(worker.root / "flowers")
    first, second = (worker.run(spec_of(project, name)).trained for name in ("first", "second"))
    assert first is not None
    assert second is not None
    assert (first.taken_over_from, second.taken_over_from) == ("", hex_id("first"))
    assert any(f"The model is that of task {hex_id('first')}" in line for line in sentences(project, "second"))
    assert [a.name for a in first.artifacts] == ["held_out.json", "labels.txt", "model.tflite", "manifest.json"]
    assert [a for a in second.artifacts if a.name != "manifest.json"] == list(first.artifacts[:3])


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (TrainingError("no_masks", "There is\nno mask."), "ERROR After 0.0 s, attempt 1 failed (no_masks): There is"),
        (KeyError("secret_variable"), "ERROR After 0.0 s, attempt 1 failed (trainer_error): The training failed: KeyE"),
        (Cancelled(), "INFO After 0.0 s, attempt 1 was cancelled."),
    ],
)
def test_how_an_attempt_ends_is_said_without_a_stack_trace(
    worker: ProjectWorker, error: Exception, ending: str
) -> None:
    project = make_project(worker.root / "flowers")

    def end() -> None:
        raise error

    worker.during = end
    worker.run(spec_of(project))
    last = re.sub(r"After \d+\.\d s", "After 0.0 s", sentences(project)[-1])
    assert last.startswith(ending)
    text = (folder_of(project) / LOG).read_text()
    assert "Traceback" not in text
    assert "child.py" not in text
    worker.during = lambda: None
    worker.run(spec_of(project), attempt=2)
    assert any(line.startswith("INFO Attempt 2 begins") for line in sentences(project))


def test_a_log_that_gets_long_keeps_room_for_how_it_ends(tmp_path: Path) -> None:
    project = open_project(tmp_path)
    with TaskLog(project, T1) as log:
        for number in range(2 * MOST_LOG_BYTES // 1000):
            log.write(f"{number} {'x' * 950}")
        log.write("After all, it is done.", is_end=True)
        for _ in range(2 * ENDS_BYTES // 1000):
            log.write("y" * 950, is_end=True)
    text = (folder_of(tmp_path) / LOG).read_text()
    assert MOST_LOG_BYTES - 2000 < len(text) <= MOST_LOG_BYTES
    assert text.count("This log has reached") == 1
    assert "After all, it is done." in text


def test_epochs_beyond_the_limit_are_left_out_and_the_log_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_log, "MOST_EPOCHS_BYTES", 1000)
    with TaskLog(open_project(tmp_path), T1) as log:
        for _ in range(20):
            log.epoch(RECORD)
    content = (folder_of(tmp_path) / EPOCHS).read_bytes()
    assert len(content) <= 1000
    assert all(msgspec.json.decode(line, type=EpochRecord) == RECORD for line in content.splitlines())
    assert len(sentences(tmp_path)) == 1


def test_one_sentence_is_one_line_whatever_is_in_it(tmp_path: Path) -> None:
    with TaskLog(open_project(tmp_path), T1) as log:
        log.write("a\n2026-11-29T20:00:00.123+00:00 ERROR forged\x1b[31m \u202e \udcff", Level.WARNING)
    (line,) = sentences(tmp_path)
    assert line == r"WARNING a 2026-11-29T20:00:00.123+00:00 ERROR forged\x1b[31m \u202e \udcff"


def put_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def put_second_name(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def put_fifo(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def put_folder(path: Path, victim: Path) -> None:
    path.mkdir()


def put_folder_link(path: Path, victim: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(victim.parent)


@pytest.mark.door(1)
@pytest.mark.parametrize("put", [put_link, put_second_name, put_fifo, put_folder, put_folder_link])
def test_nothing_is_added_to_what_is_not_ours(tmp_path: Path, put: Callable[[Path, Path], None]) -> None:
    project, victim = tmp_path / "project", tmp_path / "victims" / LOG
    victim.parent.mkdir()
    victim.write_text(SECRET)
    folder_of(project).mkdir(parents=True)
    put(folder_of(project) / LOG, victim)
    with TaskLog(open_project(project), T1) as log:
        log.write("It begins.")
    assert victim.read_text() == SECRET
    assert sentences(project) == ["INFO It begins."]


def test_a_log_that_is_removed_meanwhile_begins_anew(tmp_path: Path) -> None:
    with TaskLog(open_project(tmp_path), T1) as log:
        log.write("one")
        (folder_of(tmp_path) / LOG).unlink()
        folder_of(tmp_path).rmdir()
        log.write("two")
    assert sentences(tmp_path) == ["INFO two"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_disk_that_takes_nothing_costs_lines_alone(
    worker: ProjectWorker, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def broken(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    project = make_project(worker.root / "flowers")
    monkeypatch.setattr(Directory, "append_to", broken)
    assert worker.run(spec_of(project)).trained is not None


def test_a_line_that_was_cut_does_not_swallow_the_next(tmp_path: Path) -> None:
    folder_of(tmp_path).mkdir(parents=True)
    (folder_of(tmp_path) / EPOCHS).write_bytes(b'{"attempt":1,"sta')
    with TaskLog(open_project(tmp_path), T1) as log:
        log.epoch(RECORD)
    assert (folder_of(tmp_path) / EPOCHS).read_bytes().splitlines()[1] == msgspec.json.encode(RECORD)
