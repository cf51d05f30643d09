"""What the doctor says on the machine of a worker whose broker is elsewhere."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest

from conf import broker_probe
from conf.curve import FRONT_END, WORKER, load_client_keys
from conf.settings import Settings, load
from conf.worker_keys import keys_as_text
from protocol import messages as m
from service.doctor import far_broker
from service.doctor.result import Result, Verdict
from tests.socket.programs import Programs

#: What is not there is waited for in vain.
PATIENCE_S = 1.0


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("service"), BROKER_HOST="127.0.0.1") as running:
        yield running


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    real = broker_probe.ask_broker
    monkeypatch.setattr(far_broker, "ask_broker", lambda address, keys: real(address, keys, PATIENCE_S))


def keys_of(programs: Programs, role: str = WORKER) -> dict[str, str]:
    return {"TFMODEL_KEYS": keys_as_text(load_client_keys(programs.settings.broker.curve_path, role))}


def worker_settings(programs: Programs, port: int = 0, **more: str) -> Settings:
    address = f"tcp://127.0.0.1:{port or programs.ports['BROKER_WORKER_PORT']}"
    roots = {"TFMODEL_WORKER_DATA_ROOTS": str(programs.projects)}
    return load({"TFMODEL_HOME": str(programs.folder / "far"), "TFMODEL_BROKER": address, **roots, **more})


def found(settings: Settings, environ: dict[str, str]) -> dict[str, Result]:
    return {result.topic: result for result in far_broker.look(settings, environ)}


def test_a_broker_that_answers_is_well_and_registers_nobody(programs: Programs) -> None:
    result = found(worker_settings(programs), keys_of(programs))["broker"]
    assert (result.verdict, "takes the keys" in result.sentence) == (Verdict.OK, True)
    assert programs.get("/v1/workers").body["workers"] == []


def test_what_is_wrong_with_the_way_to_the_broker_is_told_apart(programs: Programs) -> None:
    sentences = {
        "role": found(worker_settings(programs), keys_of(programs, FRONT_END))["broker"].sentence,
        "port": found(worker_settings(programs, programs.ports["WEB_PORT"]), keys_of(programs))["broker"].sentence,
        "address": found(worker_settings(programs, 1), keys_of(programs))["broker"].sentence,
        "text": found(worker_settings(programs), {"TFMODEL_KEYS": "tfk1_x"})["broker"].sentence,
    }
    assert "refuses the keys" in sentences["role"]
    assert "worker_port" in sentences["port"]
    assert "firewalls" in sentences["address"]
    assert "cut off" in sentences["text"]


def test_folders_that_are_not_mounted_are_named(programs: Programs) -> None:
    settings = worker_settings(programs, TFMODEL_WORKER_DATA_ROOTS="/nowhere/at/all")
    result = found(settings, keys_of(programs))["project folders"]
    assert (result.verdict, "/nowhere/at/all" in result.sentence) == (Verdict.BAD, True)


def test_a_clock_that_is_off_and_another_release_are_said(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_broker, "ask_broker", lambda *_: m.HelloWanted(time.time() + 3600))
    assert "3,600 s behind" in found(worker_settings(programs), keys_of(programs))["clock"].sentence
    monkeypatch.setattr(far_broker, "ask_broker", lambda *_: m.Rejected("Install another release.", True))
    assert "Install another" in found(worker_settings(programs), keys_of(programs))["broker"].sentence


def test_on_the_brokers_machine_the_keys_are_looked_at(programs: Programs) -> None:
    done = programs.run("server.py", "doctor", "--quick", "--json")
    topics = {each["topic"]: each for each in json.loads(done.stdout)["results"]}
    assert topics["keys"]["verdict"] == "ok"
    secret = programs.settings.broker.curve_path / WORKER / f"{WORKER}.key_secret"
    secret.chmod(0o644)
    try:
        assert "others may read" in found(programs.settings, dict(os.environ))["keys"].sentence
    finally:
        secret.chmod(0o600)
    assert found(load({"TFMODEL_HOME": str(programs.folder)}), {}) == {}
