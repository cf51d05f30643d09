"""`python server.py join-command` and `keys`: what they print, what they warn of, and where secrets may stand."""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from conf.curve import WORKER, load_client_keys
from conf.settings import load
from conf.worker_keys import keys_of_text
from service import join_command
from service.command_line import main
from service.exit_codes import ExitCode


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of a service whose broker listens at all addresses."""
    monkeypatch.setenv("TFMODEL_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TFMODEL_BROKER_HOST", "0.0.0.0")
    monkeypatch.setattr(join_command, "own_addresses", lambda: ["192.0.2.7"])
    return tmp_path / "state"


def variables_of(command: str) -> dict[str, str]:
    return dict(word.split("=", 1) for word in shlex.split(command) if "=" in word)


def test_the_line_has_all_that_a_worker_elsewhere_needs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["join-command"]) == ExitCode.OK
    said = capsys.readouterr()
    (line,) = said.out.splitlines()
    assert line.endswith(" python -m trainer_worker")
    variables = variables_of(line)
    assert variables["TFMODEL_BROKER"] == "tcp://192.0.2.7:2335"
    assert keys_of_text(variables["TFMODEL_KEYS"]) == load_client_keys(home / "var" / "keys", WORKER)
    assert variables["TFMODEL_WORKER_DATA_ROOTS"] == str(home / "projects")
    assert "secret" in said.err
    assert "2335 and 2337" in said.err
    assert str(home / "projects") in said.err
    assert variables["TFMODEL_KEYS"] not in said.err


def test_a_worker_elsewhere_gets_the_urls_of_object_storage_and_how_to_reach_them(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore", reason="obstore is not installed; pip install -r requirements-cluster.txt")
    monkeypatch.setenv("TFMODEL_WEB_DATA_ROOTS", "projects,s3://photos/users")
    monkeypatch.setenv("TFMODEL_STORAGE_ENDPOINT", "http://192.0.2.9:9000")
    monkeypatch.setenv("TFMODEL_STORAGE_ALLOW_HTTP", "true")
    assert main(["join-command"]) == ExitCode.OK
    said = capsys.readouterr()
    variables = variables_of(said.out)
    assert variables["TFMODEL_WORKER_DATA_ROOTS"] == f"{home / 'projects'},s3://photos/users"
    there = load({name: value for name, value in variables.items() if name != "TFMODEL_KEYS"})
    assert (there.storage.endpoint, there.storage.allow_http) == ("http://192.0.2.9:9000", True)
    assert [str(root) for root in there.worker_roots] == [str(home / "projects"), "s3://photos/users"]
    assert "credentials" in said.err


def test_a_file_takes_the_secret_instead_of_the_screen(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = home.parent / "a worker.env"
    assert main(["join-command", "--file", str(file)]) == ExitCode.OK
    said = capsys.readouterr()
    assert "tfk1_" not in said.out + said.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    script = said.out.replace("python -m trainer_worker", "env")
    done = subprocess.run(["sh", "-c", script], cwd=home.parent, capture_output=True, text=True, check=True)
    keys = next(line for line in done.stdout.splitlines() if line.startswith("TFMODEL_KEYS="))
    assert keys_of_text(keys.partition("=")[2]) == load_client_keys(home / "var" / "keys", WORKER)
    assert main(["join-command", "--file", str(file)]) == ExitCode.FAILED
    assert "exists already" in capsys.readouterr().err


def test_a_broker_that_others_cannot_reach_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TFMODEL_BROKER_HOST", "")
    assert main(["join-command"]) == ExitCode.FAILED
    error = capsys.readouterr().err
    assert "[broker] host" in error
    assert "TFMODEL_BROKER_HOST" in error
    assert not (home / "var" / "keys").exists()
    monkeypatch.setenv("TFMODEL_BROKER_HOST", "127.0.0.1")
    assert main(["join-command", "--json"]) == ExitCode.OK
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert "this machine only" in document["warnings"][0]
    assert document["broker"] == "tcp://127.0.0.1:2335"
    assert document["dataRoots"] == [str(home / "projects")]


def test_the_address_is_one_that_others_can_reach(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(join_command, "own_addresses", lambda: ["192.0.2.7", "10.0.0.3"])
    assert main(["join-command"]) == ExitCode.OK
    assert "10.0.0.3" in capsys.readouterr().err
    assert main(["join-command", "--address", "2001:db8::7"]) == ExitCode.OK
    assert variables_of(capsys.readouterr().out)["TFMODEL_BROKER"] == "tcp://[2001:db8::7]:2335"
    monkeypatch.setattr(join_command, "own_addresses", list)
    assert main(["join-command"]) == ExitCode.FAILED
    assert "--address" in capsys.readouterr().err


def test_the_commands_for_keys_show_no_secret(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys"]) == ExitCode.OK
    assert "no keys" in capsys.readouterr().out
    assert main(["keys", "make"]) == ExitCode.OK
    assert main(["keys", "make"]) == ExitCode.FAILED
    assert main(["keys", "rotate"]) == ExitCode.OK
    assert main(["keys", "show", "--json"]) == ExitCode.OK
    assert main(["keys"]) == ExitCode.OK
    assert main(["keys", "rotate", "broker"]) == ExitCode.OK
    assert main(["keys", "end-rotation"]) == ExitCode.OK
    assert main(["keys", "rotate", "nobody"]) == ExitCode.BAD_COMMAND_LINE
    said = capsys.readouterr()
    secrets = [file.read_text().split('secret-key = "')[1][:40] for file in home.rglob("*.key_secret")]
    assert len(secrets) == 3
    assert not [secret for secret in secrets if secret in said.out + said.err]
    assert "an earlier key, still admitted" in said.out
    assert "holds keys already" in said.err
