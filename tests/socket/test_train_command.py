"""`python server.py train` and `show --follow`: how a training is shown, and what Ctrl-C does to it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from protocol import messages as m
from protocol.errors import Failure, FailureClass
from service.exit_codes import ExitCode
from tests.drawn_projects import draw_classes
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.socket.typed_command import CTRL_C, TypedCommand, called, on_terminal, piped

FOLDER = "anna/flowers"
METRICS = {"val_accuracy": 0.913, "loss": 0.214}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("train")) as running:
        draw_classes(running.projects / "anna" / "flowers", {"rose": 20, "tulip": 20})
        yield running


@pytest.fixture
def worker(programs: Programs) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(programs.endpoints.worker) as scripted:
        scripted.connect_progress(programs.endpoints.collect)
        yield scripted.join()
        scripted.leave()


def train_until(worker: ScriptedWorker, command: TypedCommand, words: str) -> m.Start:
    """Let the worker take the task and report progress until the command shows these words."""
    start = worker.receive(m.Start)
    progress = m.Progress(start.spec.task_id, start.attempt, 41.5, "train", 75.0, 3, METRICS, epochs_max=20)
    command.wait_for(words, lambda: worker.publish(progress))
    return start


def state_of(programs: Programs, start: m.Start) -> str:
    return str(programs.task(start.spec.task_id).body["state"])


def test_a_program_gets_the_check_each_event_and_the_result(programs: Programs, worker: ScriptedWorker) -> None:
    words = ("--user", "anna", "--project", "roses", "--option", "epochs=20", "--metadata", "order=7", "--json")
    with piped(programs, "train", FOLDER, *words) as command:
        start = train_until(worker, command, "task.progress")
        worker.finish(start)
        assert command.end() == ExitCode.OK
    spec = start.spec
    assert (spec.user_id, spec.project_id, spec.options) == ("anna", "roses", {"epochs": 20})
    checked, posted, *events, result = command.lines
    assert (checked["type"], checked["folder"]["counts"]) == ("check", {"rose": 20, "tulip": 20})
    assert (posted["type"], posted["task"]["metadata"]) == ("posted", {"order": "7"})
    assert {event["taskId"] for event in events} == {spec.task_id}
    progress = next(event for event in events if event["type"] == "task.progress")
    assert (progress["progress"], progress["phase"], progress["metrics"]) == (41.5, "train", METRICS)
    assert (result["type"], result["task"]["state"]) == ("result", "done")
    assert result["report"] == f"{programs.projects}/anna/flowers/models/{spec.task_id}/report.html"


def test_without_a_terminal_it_prints_lines(programs: Programs, worker: ScriptedWorker) -> None:
    with piped(programs, "train", str(programs.projects / "anna" / "flowers")) as command:
        start = train_until(worker, command, "41.5 %  train, epoch 3 of 20  about 75 s left  val accuracy 91.3 %")
        worker.finish(start)
        assert command.end() == ExitCode.OK
    assert "40 pictures, layout class_folders" in command.output
    assert "\x1b" not in command.output
    assert f"  model   {programs.projects}/anna/flowers/models/{start.spec.task_id}/model.tflite" in command.output
    assert start.spec.project_id == "flowers"


def test_the_exit_code_says_how_the_task_ended(programs: Programs, worker: ScriptedWorker) -> None:
    with piped(programs, "train", FOLDER) as command:
        start = worker.receive(m.Start)
        failure = Failure("no_images", FailureClass.DATA, "There are no images.", "line 7 of secret.py")
        worker.send(m.Result(start.spec.task_id, 1, failure=failure))
        assert command.end() == ExitCode.FAILED
    assert "There are no images. (no_images)" in command.output
    worker.heartbeat(ready=True)
    with piped(programs, "train", FOLDER) as command:
        start = train_until(worker, command, "41.5 %")
        programs.call("DELETE", f"/v1/tasks/{start.spec.task_id}")
        worker.send(m.Result(start.spec.task_id, start.attempt))
        assert command.end() == ExitCode.CANCELLED


def test_a_folder_that_cannot_be_trained_on_is_not_posted(programs: Programs) -> None:
    empty = programs.projects / "anna" / "empty"
    empty.mkdir()
    before = len(programs.get("/v1/events?wait=0&since=0").body["events"])
    done = called(programs, "train", str(empty))
    assert done.returncode == ExitCode.FAILED
    assert "A training would fail" in done.stdout
    assert len(programs.get("/v1/events?wait=0&since=0").body["events"]) == before


def test_on_a_terminal_ctrl_c_asks_and_can_stop_the_task(programs: Programs, worker: ScriptedWorker) -> None:
    with on_terminal(programs, "train", FOLDER) as command:
        start = train_until(worker, command, "epoch 3 of 20")
        assert "━" in command.output, "there is a bar"
        command.type(CTRL_C)
        command.wait_for("[l/s/c]")
        command.type(b"what?\n")
        command.wait_for("[l/s/c]")
        command.type(b"s\n")
        assert worker.receive(m.Stop).keep
        worker.finish(start)
        assert command.end() == ExitCode.OK


def test_on_a_terminal_ctrl_c_asks_and_can_cancel_the_task(programs: Programs, worker: ScriptedWorker) -> None:
    with on_terminal(programs, "train", FOLDER) as command:
        start = train_until(worker, command, "epoch 3 of 20")
        command.type(CTRL_C)
        command.wait_for("[l/s/c]")
        command.type(b"c\n")
        worker.receive(m.Stop)
        worker.send(m.Result(start.spec.task_id, start.attempt))
        assert command.end() == ExitCode.CANCELLED


def test_ctrl_c_twice_leaves_the_task_running(programs: Programs, worker: ScriptedWorker) -> None:
    with on_terminal(programs, "train", FOLDER) as command:
        start = train_until(worker, command, "epoch 3 of 20")
        command.type(CTRL_C)
        command.wait_for("[l/s/c]")
        command.type(CTRL_C)
        assert command.end() == ExitCode.STILL_RUNNING
    assert state_of(programs, start) == "processing"
    worker.finish(start)


def test_without_a_terminal_an_interrupt_leaves_the_task_running(programs: Programs, worker: ScriptedWorker) -> None:
    with piped(programs, "train", FOLDER) as command:
        start = train_until(worker, command, "epoch 3 of 20")
        command.interrupt()
        assert command.end() == ExitCode.STILL_RUNNING
    assert f"'python server.py show {start.spec.task_id} --follow'" in command.output
    assert state_of(programs, start) == "processing"
    with piped(programs, "show", start.spec.task_id, "--follow", "--json") as command:
        worker.finish(start)
        assert command.end() == ExitCode.OK
    assert command.lines[-1]["task"]["state"] == "done"


def test_no_color_gives_plain_lines_on_a_terminal(programs: Programs, worker: ScriptedWorker) -> None:
    with on_terminal(programs, "train", FOLDER, "--project", "plain", NO_COLOR="1") as command:
        worker.finish(train_until(worker, command, "41.5 %  train, epoch 3 of 20"))
        assert command.end() == ExitCode.OK
    assert "\x1b[2K" not in command.output, "nothing is drawn over"


def test_bad_options_are_said_before_anything_is_posted(programs: Programs) -> None:
    done = called(programs, "train", FOLDER, "--option", "epochs=0", "--option", "colour=red", "--json")
    assert done.returncode == ExitCode.BAD_COMMAND_LINE
    assert json.loads(done.stdout)["fields"].keys() == {"epochs", "colour"}
    for words in (("epochs",), ("epochs=1", "--option", "epochs=2")):
        done = called(programs, "train", FOLDER, "--option", *words)
        assert (done.returncode, done.stdout) == (ExitCode.BAD_COMMAND_LINE, "")
        assert "epochs" in done.stderr


def test_a_detached_task_is_only_posted(programs: Programs) -> None:
    done = called(programs, "train", FOLDER, "--detach")
    assert done.returncode == ExitCode.OK, done.stderr
    task_id = done.stdout.split()[-1]
    assert programs.task(task_id).body["state"] == "pending"
    programs.call("DELETE", f"/v1/tasks/{task_id}")
