"""The front-end's side of a check: a process for each call, with a limit on time, and no trace of it afterwards."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from tests.sample_tasks import make_spec
from tests.waiting import TIMEOUT_S
from web.answers.refusal import Refusal
from web.folder_check import MOST_AT_ONCE, MOST_WAITING, FolderChecks

SPEC = make_spec("t1")


def checks(code: str, timeout_s: float = TIMEOUT_S) -> FolderChecks:
    """A checker that runs this code."""
    return FolderChecks([sys.executable, "-c", code], [Path("/projects")], timeout_s)


def test_the_checker_gets_the_task_and_its_answer_is_the_report() -> None:
    code = (
        "import json, sys; order = json.load(sys.stdin)\n"
        "json.dump({'layout': 'class_folders', 'rule': f\"{order['spec']['project_path']} {order['allowed_roots']}\"},"
        " sys.stdout)"
    )
    report = asyncio.run(checks(code).report(SPEC))

    assert report.layout == "class_folders"
    assert report.rule == f"{SPEC.project_path} ['/projects']"


@pytest.mark.parametrize("code", ["1 / 0", "print('{}x')", "import os; os.abort()", "print('{\"pictures\": -1}')"])
def test_a_checker_that_breaks_is_refused_in_words(code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        asyncio.run(checks(code).report(SPEC))

    assert refusal.value.problem.code == "check_failed"
    assert "post the task without a check" in refusal.value.problem.error


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_a_checker_that_hangs_is_killed_with_its_children() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import signal; signal.pause()'])"
    before = set(children())
    with pytest.raises(Refusal, match=r"took more than 0\.5 s"):
        asyncio.run(checks(code, timeout_s=0.5).report(SPEC))

    assert psutil.wait_procs([child for child in children() if child not in before], timeout=TIMEOUT_S)[1] == []


def test_a_caller_that_goes_away_leaves_no_checker_behind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")

    async def go_away() -> None:
        code = f"open({str(tmp_path / 'begun')!r}, 'w').close(); import signal; signal.pause()"
        call = asyncio.create_task(checks(code).report(SPEC))
        await asyncio.to_thread((tmp_path / "begun").read_bytes)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    before = set(children())
    asyncio.run(go_away())
    assert psutil.wait_procs([child for child in children() if child not in before], timeout=TIMEOUT_S)[1] == []


def test_few_checkers_run_at_once_and_a_long_line_is_refused(tmp_path: Path) -> None:
    code = (
        f"import pathlib, os, sys, json; folder = pathlib.Path({str(tmp_path)!r})\n"
        "mine = folder / str(os.getpid()); mine.touch()\n"
        "json.dump({'pictures': len(list(folder.iterdir()))}, sys.stdout)\n"
        "mine.unlink()"
    )

    async def many() -> tuple[list[int], int]:
        both = checks(code)
        calls = [asyncio.create_task(both.report(SPEC)) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Refusal) as refusal:
            await both.report(SPEC)
        return [report.pictures for report in await asyncio.gather(*calls)], refusal.value.status_code

    at_once, status = asyncio.run(many())
    assert max(at_once) <= MOST_AT_ONCE
    assert status == 429


LIMITED = "from trainer_worker.checking.limits import limit_resources\n"


def test_a_checker_that_computes_without_end_is_ended_in_words() -> None:
    with pytest.raises(Refusal, match="took too much of the processor's time") as refusal:
        asyncio.run(checks(f"{LIMITED}limit_resources(processor_s=1)\nwhile True: pass").report(SPEC))

    assert refusal.value.problem.code == "check_failed"


def test_a_checker_that_takes_all_memory_is_ended_in_words() -> None:
    code = f"{LIMITED}limit_resources()\nkept = []\nwhile True: kept.append(bytearray(2**28))"
    with pytest.raises(Refusal, match="post the task without a check") as refusal:
        asyncio.run(checks(code).report(SPEC))

    assert refusal.value.problem.code == "check_failed"
