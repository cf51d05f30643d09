"""How a command is called: what is no command is said with its cure, and no error ends in a traceback."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from service import status_command
from service.command_line import main
from service.exit_codes import ExitCode
from tests.free_ports import free_ports


@pytest.fixture(autouse=True)
def _own_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of its own, which does not run."""
    monkeypatch.setenv("TFMODEL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TFMODEL_WEB_PORT", str(free_ports(1)[0]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], "There is no command 'trian'. Did you mean 'train'?"),
        (["token", "creat"], 'Did you mean "create"?'),
        (["backup"], "FILE"),
        (["start", "--foregroun"], "Did you mean --foreground?"),
        (["tasks", "--limit", "many"], "many"),
        (["check", "--type", "sculpture", "."], 'Choose from: "classification", "segmentation"'),
    ],
)
def test_a_wrong_command_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == ExitCode.BAD_COMMAND_LINE
    printed = capsys.readouterr()
    assert (printed.out, said in printed.err, "--help' " in printed.err) == ("", True, True), printed.err
    assert main([*words, "--json"]) == ExitCode.BAD_COMMAND_LINE
    assert json.loads(capsys.readouterr().out)["code"] == "bad_command_line"


@pytest.mark.parametrize("words", [[], ["token"]])
def test_a_command_that_is_not_named_is_listed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == ExitCode.BAD_COMMAND_LINE
    assert "Usage: " in capsys.readouterr().out
    assert main([*words, "--help"]) == ExitCode.OK


@pytest.mark.parametrize("words", [["token"], ["token", "--help"], ["token", "-h"]])
def test_the_list_of_second_words_says_what_each_does(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main(words)
    printed = capsys.readouterr().out
    for summary in ("Make a token. It is shown only once.", "List all tokens, without", "End a token at once."):
        assert summary in printed


def test_an_error_of_the_system_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(status_command, "load", full)
    assert main(["status"]) == ExitCode.FAILED
    assert "No space left on device" in capsys.readouterr().err


def test_a_terminal_that_lacks_a_character_gets_its_escape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFMODEL_HOME", str(tmp_path / "车"))
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="latin-1"))
    main(["doctor", "--quick"])
    assert rb"\u8f66" in written.getvalue()


def test_commands_about_the_service_answer_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == ExitCode.NOT_RUNNING
    assert json.loads(capsys.readouterr().out)["running"] is False
    assert main(["stop", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"running": False, "message": "TFModel is not running."}
    assert main(["token", "list", "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"tokens": []}
    assert main(["backup", "copy", "--json"]) == ExitCode.FAILED
    assert "There is no journal" in json.loads(capsys.readouterr().out)["error"]


def test_secrets_for_webhooks_are_made_and_changed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["webhook-secret", "show"]) == ExitCode.FAILED
    capsys.readouterr()
    made = []
    for word in ("create", "rotate"):
        assert main(["webhook-secret", word, "--json"]) == ExitCode.OK
        made.append(json.loads(capsys.readouterr().out)["secret"])
    assert main(["webhook-secret", "show"]) == ExitCode.OK
    assert capsys.readouterr().out.split() == made[::-1]
    assert main(["webhook-secret", "end-rotation"]) == ExitCode.OK
    assert main(["webhook-secret", "create"]) == ExitCode.FAILED
