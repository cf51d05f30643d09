"""The commands that list, show and change tasks and workers, against a real front-end and a real broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from conf.settings import ROOT
from service.exit_codes import ExitCode
from tests.free_ports import free_ports
from tests.runnable_tflite import colour_classifier, colour_segmenter
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.socket.typed_command import called
from tests.waiting import TIMEOUT_S


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("tasks")) as running:
        yield running


def document(programs: Programs, *words: str | Path) -> Any:
    """The JSON that a command prints."""
    done = called(programs, *words, "--json")
    assert done.returncode == ExitCode.OK, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_tasks_are_listed_page_by_page_and_by_filter(programs: Programs) -> None:
    posted = [programs.post_id(userId="lister", projectId=f"p{number}") for number in range(3)]
    page = document(programs, "tasks", "--user", "lister", "--limit", "2")
    assert [task["taskId"] for task in page["tasks"]] == posted[:0:-1]
    assert (page["counts"]["pending"], bool(page["next"])) == (3, True)
    listed = called(programs, "tasks", "--user", "lister", "--sort", "submittedAt", "--all", "--json").stdout
    assert [json.loads(line)["taskId"] for line in listed.splitlines()] == posted
    found = document(programs, "tasks", "--search", "list")["tasks"]
    assert [task["taskId"] for task in found] == posted[::-1]
    words = ("tasks", "--user", "lister", "--project", "p1", "--state", "pending")
    table = programs.run("server.py", *words).stdout.splitlines()
    assert table[0].split() == ["id", "state", "progress", "type", "user", "project", "posted", "score"]
    assert table[1].split()[:6] == [posted[1][:12], "pending", "0.0", "%", "classification", "lister"]
    assert table[2] == "1 pending"
    assert "There are no such tasks." in called(programs, "tasks", "--user", "nobody").stdout


def test_a_task_is_named_by_the_beginning_of_its_id(programs: Programs) -> None:
    first, second = (programs.post_id(userId="namer") for _ in range(2))
    shown = document(programs, "show", first)
    assert (shown["taskId"], shown["userId"]) == (first, "namer")
    unique = next(first[:length] for length in range(1, 33) if not second.startswith(first[:length]))
    assert document(programs, "show", unique)["taskId"] == first
    several = called(programs, "show", "01")
    assert several.returncode == ExitCode.REFUSED
    assert "Write more of the id." in several.stderr
    unknown = called(programs, "cancel", "zzz", "--json")
    assert (unknown.returncode, json.loads(unknown.stdout)["code"]) == (ExitCode.REFUSED, "unknown_task")


def test_a_task_is_cancelled_and_posted_again(programs: Programs) -> None:
    task_id = programs.post_id(userId="again")
    early = called(programs, "stop-task", task_id, "--json")
    assert (early.returncode, json.loads(early.stdout)["code"]) == (ExitCode.REFUSED, "task_not_started")
    assert f"The task {task_id} is cancelled." in called(programs, "cancel", task_id).stdout
    repeated = document(programs, "retry", task_id)
    assert (repeated["retryOf"], repeated["state"], repeated["userId"]) == (task_id, "pending", "again")
    assert f"  repeats  {task_id}\n" in called(programs, "show", repeated["taskId"]).stdout
    assert f"  repeated by  {repeated['taskId']}\n" in called(programs, "show", task_id).stdout


def test_workers_are_listed_and_drained(programs: Programs) -> None:
    assert "No worker is registered" in called(programs, "workers").stdout
    with ScriptedWorker(programs.endpoints.worker, "w7") as worker:
        worker.join()
        (found,) = document(programs, "workers")["workers"]
        assert found["name"] == "w7"
        assert document(programs, "workers", "drain", "w7")["state"] == "draining"
        assert document(programs, "workers", "undrain", "w7")["name"] == "w7"
        assert "w7" in called(programs, "workers", "list").stdout
        worker.leave()
    unknown = called(programs, "workers", "drain", "w8")
    assert (unknown.returncode, "w8" in unknown.stderr) == (ExitCode.REFUSED, True)


def test_the_queue_shows_places(programs: Programs) -> None:
    task_id = programs.post_id(userId="waiter")
    assert task_id in [waiting["taskId"] for waiting in document(programs, "queue")["queue"]]
    assert task_id[:12] in called(programs, "queue").stdout


def test_a_server_that_does_not_run_is_said_at_once(programs: Programs) -> None:
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    done = programs.run("server.py", "tasks", "--server", address)
    assert done.returncode == ExitCode.NOT_RUNNING
    assert done.stderr == (
        f"No server answers at {address}. Start it with 'python server.py start', or name another one with --server.\n"
    )
    by_variable = called(programs, "tasks", "--json", TFMODEL_SERVER=address)
    assert by_variable.returncode == ExitCode.NOT_RUNNING
    assert json.loads(by_variable.stdout)["code"] == "not_running"


def test_a_token_comes_from_the_variable_or_a_file_and_is_never_shown(tmp_path: Path) -> None:
    with Programs(tmp_path / "guarded") as guarded:
        token = json.loads(called(guarded, "token", "create", "anna", "--user", "anna", "--json").stdout)["token"]
        refused = called(guarded, "workers")
        assert refused.returncode == ExitCode.REFUSED
        assert "TFMODEL_TOKEN" in refused.stderr
        file = tmp_path / "token"
        file.write_text(f"{token}\n")
        ways = [
            called(guarded, "workers", TFMODEL_TOKEN=token),
            called(guarded, "workers", "--token-file", file),
            called(guarded, "workers", "--token", token),
        ]
        assert [way.returncode for way in ways] == [ExitCode.OK] * 3
        wrong = called(guarded, "workers", TFMODEL_TOKEN=f"{token}x")
        helped = called(guarded, "workers", "list", "--help", TFMODEL_TOKEN=token)
        assert "TFMODEL_TOKEN" in helped.stdout
        for done in (refused, *ways, wrong, helped):
            assert token not in done.stdout + done.stderr
        missing = called(guarded, "workers", "--token-file", tmp_path / "nothing")
        assert (missing.returncode, "cannot be read" in missing.stderr) == (ExitCode.FAILED, True)


def test_a_file_of_a_model_answers_on_this_machine(programs: Programs, tmp_path: Path) -> None:
    model, red, broken = tmp_path / "model.tflite", tmp_path / "red.png", tmp_path / "broken.png"
    model.write_bytes(colour_classifier())
    Image.new("RGB", (50, 40), (250, 10, 10)).save(red)
    broken.write_bytes(b"no picture")
    done = called(programs, "predict", model, red, broken, "--json")
    assert done.returncode == ExitCode.FAILED, "one picture could not be used"
    first, second = json.loads(done.stdout)["predictions"]
    assert (first["label"], first["unknown"], second["code"]) == ("red", False, "bad_picture")

    model.write_bytes(colour_segmenter())
    done = called(programs, "predict", model, red, "--masks", tmp_path)
    assert (done.returncode, "red 100.0 %" in done.stdout) == (ExitCode.OK, True), done.stderr
    assert Image.open(tmp_path / "red_mask.png").size == (50, 40)
    assert Image.open(red).mode == "RGB", "the picture itself is left alone"

    model.write_bytes(b"no model")
    done = called(programs, "predict", model, red)
    assert (done.returncode, "cannot be used" in done.stderr) == (ExitCode.FAILED, True)
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error(programs: Programs) -> None:
    programs.post_id()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "server.py", "tasks"],
            cwd=ROOT,
            env=programs.environ,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "redirected", "exit_code", "said"),
    [
        ("tasks", ">&- <&-", ExitCode.OK, ""),
        ("tasks --json", ">/dev/full", ExitCode.FAILED, "[Errno 28] No space left on device.\n"),
    ],
)
def test_a_stream_that_is_closed_or_full_is_no_traceback(
    programs: Programs, words: str, redirected: str, exit_code: ExitCode, said: str
) -> None:
    programs.post_id()
    command = f'exec "{sys.executable}" server.py {words} {redirected}'
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=programs.environ, capture_output=True, timeout=TIMEOUT_S, check=False
    )
    assert (done.returncode, done.stderr.decode(), done.stdout) == (exit_code, said, b"")


def test_words_that_are_not_utf_8_are_refused_in_words(programs: Programs) -> None:
    folder = programs.projects / os.fsdecode(b"flowers-\xff")
    folder.mkdir()
    for words in (("tasks", "--user", "\udcff"), ("train", folder, "--type", "classification")):
        done = called(programs, *words)
        assert (done.returncode, "is not UTF-8" in done.stderr) == (ExitCode.BAD_COMMAND_LINE, True)
