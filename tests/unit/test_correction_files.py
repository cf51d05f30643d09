"""Changing corrections.csv on a disk that hangs or fails: a sentence for the caller, and no change is lost."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from protocol.corrections import CORRECTIONS_FILE, Action, Correction, CorrectionsTable
from tests.local_roots import correction_files
from tests.waiting import TIMEOUT_S
from web.answers.refusal import Refusal
from web.files.corrections import CorrectionFiles
from web.folders import corrections_on_disk, local_folders
from web.folders.folders import Changes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "flowers").mkdir()
    return tmp_path / "flowers"


def exclude(name: str) -> Changes:
    return {name: Correction(name, Action.EXCLUDE)}


def refusal_of(files: CorrectionFiles, project: Path) -> Refusal:
    with pytest.raises(Refusal) as caught:
        asyncio.run(files.change(str(project), exclude("a.jpg")))
    return caught.value


def test_a_change_that_outlasts_its_caller_is_not_lost_by_the_next_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on, change = threading.Event(), threading.Event(), corrections_on_disk.change_table

    def slowly(path: str, roots: Sequence[Path], changes: Changes) -> CorrectionsTable:
        began.set()
        assert go_on.wait(TIMEOUT_S)
        return change(path, roots, changes)

    async def tried() -> None:
        files = correction_files(project.parent, timeout_s=0.2)
        monkeypatch.setattr(local_folders, "change_table", slowly)
        for name in ("a.jpg", "b.jpg"):  # the second waits for its turn in vain
            with pytest.raises(Refusal) as caught:
                await files.change(str(project), exclude(name))
            assert caught.value.problem.code == "file_unreadable"
        assert await asyncio.to_thread(began.wait, TIMEOUT_S)
        go_on.set()
        patient = correction_files(project.parent)
        patient._turns = files._turns
        table = await patient.change(str(project), exclude("c.jpg"))
        assert [one.picture for one in table.corrections()] == ["a.jpg", "c.jpg"]
        del caught  # its traceback keeps what the call had
        gc.collect()
        assert not files._turns._locks, "nothing is kept for a folder that nobody changes"

    asyncio.run(tried())
    assert (project / CORRECTIONS_FILE).read_text().splitlines()[1:] == ["a.jpg,exclude,", "c.jpg,exclude,"]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk_nearly_full"),
        (errno.EDQUOT, "disk_nearly_full"),
        (errno.EROFS, "corrections_unusable"),
        (errno.EACCES, "corrections_unusable"),
        (errno.EIO, "file_unreadable"),
    ],
)
def test_an_error_of_the_disk_leaves_the_file_as_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    (project / CORRECTIONS_FILE).write_text("b.jpg,keep\n")

    def fail(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    assert refusal_of(correction_files(project.parent), project).problem.code == code
    assert [path.name for path in project.iterdir()] == [CORRECTIONS_FILE]
    assert (project / CORRECTIONS_FILE).read_text() == "b.jpg,keep\n"


def test_a_file_that_would_grow_too_large_stays_as_it_was(project: Path) -> None:
    (project / CORRECTIONS_FILE).write_text("b.jpg,keep\n" * 50_000)
    refusal = refusal_of(correction_files(project.parent), project)
    assert (refusal.problem.code, "more than 50,000 rows" in str(refusal)) == ("corrections_unusable", True)
    assert (project / CORRECTIONS_FILE).stat().st_size == 11 * 50_000
