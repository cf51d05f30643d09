"""Processes that answer the front-end once."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from web import worker_process
from web.worker_process import NoAnswerError, TooLongError, ask_worker_process, kill


class Word(msgspec.Struct):
    text: str


def ask(script: str, text: str = "question", timeout_s: float = 30.0) -> Word:
    return asyncio.run(ask_worker_process((sys.executable, "-c", script), Word(text), Word, timeout_s))


def test_it_reads_the_order_and_answers() -> None:
    assert ask("import sys; sys.stdout.write(sys.stdin.read().upper().replace('TEXT', 'text'))").text == "QUESTION"


def test_a_process_that_ends_without_an_answer_is_told_with_its_last_words() -> None:
    with pytest.raises(NoAnswerError) as error:
        ask("import sys; print('first', file=sys.stderr); sys.exit('last')", text="x" * 1_000_000)
    assert (error.value.exit_code, error.value.last_words) == (1, "last")


def test_a_command_that_cannot_be_started_is_no_answer() -> None:
    with pytest.raises(NoAnswerError):
        asyncio.run(ask_worker_process(("/no/such/program",), Word(""), Word, 30.0))


def test_an_endless_answer_is_cut_off_and_its_process_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "MOST_ANSWER_BYTES", 100_000)
    noted = tmp_path / "pid"
    script = f"""
import os, sys
open({str(noted)!r}, "w").write(str(os.getpid()))
while True:
    sys.stdout.write("x" * 10_000)
"""
    with pytest.raises(NoAnswerError, match="more than 100000 bytes"):
        ask(script)
    with pytest.raises(ProcessLookupError):
        os.kill(int(noted.read_text()), 0)


def test_a_process_that_is_too_slow_ends() -> None:
    with pytest.raises(TooLongError, match=r"more than 0\.2 s"):
        ask("import time; time.sleep(1000)", timeout_s=0.2)


def test_killing_a_process_that_has_just_ended_leaves_its_exit_code_to_the_event_loop() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", "raise SystemExit(7)"], os.environ, setsid=True)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    kill(cast("asyncio.subprocess.Process", SimpleNamespace(pid=pid, returncode=None)))

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
