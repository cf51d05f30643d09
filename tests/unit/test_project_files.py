"""Reading a file from a disk that hangs or fails: callers get a sentence, and nothing stays open."""

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
from protocol.task import TaskSpec
from tests.local_roots import project_files
from tests.sample_tasks import hex_id, make_spec
from tests.waiting import TIMEOUT_S
from web.answers.refusal import Refusal
from web.files.open_file import OpenFile, Place
from web.files.project_files import MOST_AT_ONCE, ProjectFiles
from web.folders import local_folders
from web.folders.threads import THREADS


@pytest.fixture
def spec(tmp_path: Path) -> TaskSpec:
    """A task with a report of three letters."""
    task_id = hex_id("t1")
    model = tmp_path / "flowers" / MODELS / task_id
    model.mkdir(parents=True)
    (model / REPORT).write_bytes(b"abc")
    return make_spec(task_id, project_path=str(tmp_path / "flowers"))


def place_of(spec: TaskSpec) -> Place:
    return Place((MODELS, spec.task_id), REPORT, 1000)


async def refusal_of(files: ProjectFiles, spec: TaskSpec) -> Refusal:
    with pytest.raises(Refusal) as caught:
        async with files.opened(spec, place_of(spec)):
            pass
    return caught.value


def test_a_disk_that_hangs_costs_a_caller_a_bounded_time_and_the_file_is_closed_later(
    spec: TaskSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, opened = threading.Event(), local_folders.open_file
    kept: list[OpenFile] = []

    def hanging(spec: TaskSpec, roots: Sequence[Path], place: Place) -> OpenFile:
        answers.wait(10)
        kept.append(opened(spec, roots, place))
        return kept[-1]

    monkeypatch.setattr(local_folders, "open_file", hanging)

    async def ask() -> None:
        files = project_files(tmp_path, timeout_s=0.2)
        refusals = await asyncio.gather(*(refusal_of(files, spec) for _ in range(2 * THREADS)))
        assert {refusal.problem.code for refusal in refusals} == {"file_unreadable"}
        answers.set()
        async with project_files(tmp_path).opened(spec, place_of(spec)) as file:
            assert file.file.read() == b"abc"
        files._threads._pool.shutdown(wait=True)
        async with asyncio.timeout(TIMEOUT_S):
            while not all(file.file.closed for file in kept):  # noqa: ASYNC110 - nothing tells when the loop has done it
                await asyncio.sleep(0)

    asyncio.run(ask())
    # Calls that found no free thread have opened nothing, nor have those whose thread was late on a busy machine.
    assert 2 <= len(kept) <= THREADS + 1
    assert all(file.file.closed for file in kept)


def test_too_many_files_at_once_are_refused(spec: TaskSpec, tmp_path: Path) -> None:
    async def ask() -> None:
        files = project_files(tmp_path)
        release = asyncio.Event()

        async def hold() -> None:
            async with files.opened(spec, place_of(spec)):
                await release.wait()

        held = [asyncio.create_task(hold()) for _ in range(MOST_AT_ONCE)]
        await asyncio.sleep(0)
        assert (await refusal_of(files, spec)).problem.code == "file_unreadable"
        release.set()
        await asyncio.gather(*held)
        async with files.opened(spec, place_of(spec)) as file:
            assert file.file.read() == b"abc"

    asyncio.run(ask())


def test_an_error_of_the_disk_is_not_taken_for_a_missing_file(
    spec: TaskSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> BinaryIO:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Directory, "open", broken)
    refusal = asyncio.run(refusal_of(project_files(tmp_path), spec))
    assert (refusal.status_code, refusal.problem.code) == (503, "file_unreadable")
