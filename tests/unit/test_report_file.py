"""Reading a report from a disk that hangs or fails: callers get a sentence, and nothing stays open."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from conf.directory import Directory
from protocol.project_layout import MODELS, REPORT
from protocol.task import Task, TaskSpec, TaskState
from tests.sample_tasks import hex_id, make_spec
from web import report_file
from web.refusal import Refusal
from web.report_file import MOST_AT_ONCE, THREADS, ReportFiles


@pytest.fixture
def done(tmp_path: Path) -> Task:
    """A task that is done, with a report of three letters."""
    task_id = hex_id("t1")
    model = tmp_path / "flowers" / MODELS / task_id
    model.mkdir(parents=True)
    (model / REPORT).write_bytes(b"abc")
    return Task(make_spec(task_id, project_path=str(tmp_path / "flowers")), state=TaskState.DONE)


async def refusal_of(reports: ReportFiles, task: Task) -> Refusal:
    with pytest.raises(Refusal) as caught:
        async with reports.opened(task):
            pass
    return caught.value


def test_a_disk_that_hangs_costs_a_caller_a_bounded_time_and_the_file_is_closed_later(
    done: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, opened = threading.Event(), report_file._open_report
    files: list[BinaryIO] = []

    def hanging(spec: TaskSpec, roots: Sequence[Path]) -> BinaryIO:
        answers.wait(10)
        files.append(opened(spec, roots))
        return files[-1]

    monkeypatch.setattr(report_file, "_open_report", hanging)

    async def ask() -> None:
        reports = ReportFiles([tmp_path], timeout_s=0.2)
        refusals = await asyncio.gather(*(refusal_of(reports, done) for _ in range(2 * THREADS)))
        assert {refusal.problem.code for refusal in refusals} == {"report_unreadable"}
        answers.set()
        async with ReportFiles([tmp_path]).opened(done) as file:
            assert file.read() == b"abc"
        reports._pool.shutdown(wait=True)

    asyncio.run(ask())
    # Calls that found no free thread have opened nothing, nor have those whose thread was late on a busy machine.
    assert 2 <= len(files) <= THREADS + 1
    assert all(file.closed for file in files)


def test_too_many_reports_at_once_are_refused(done: Task, tmp_path: Path) -> None:
    async def ask() -> None:
        reports = ReportFiles([tmp_path])
        release = asyncio.Event()

        async def hold() -> None:
            async with reports.opened(done):
                await release.wait()

        held = [asyncio.create_task(hold()) for _ in range(MOST_AT_ONCE)]
        await asyncio.sleep(0)
        assert (await refusal_of(reports, done)).problem.code == "report_unreadable"
        release.set()
        await asyncio.gather(*held)
        async with reports.opened(done) as file:
            assert file.read() == b"abc"

    asyncio.run(ask())


def test_an_error_of_the_disk_is_not_taken_for_a_missing_report(
    done: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> BinaryIO:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Directory, "open", broken)
    refusal = asyncio.run(refusal_of(ReportFiles([tmp_path]), done))
    assert (refusal.status_code, refusal.problem.code) == (503, "report_unreadable")
