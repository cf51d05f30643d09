"""A start that cannot be: it must not stop the service that runs already."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from service import service_commands, supervisor_client
from service.supervisor_client import SupervisorClient, SupervisorError

PORTS = {
    "TFMODEL_BROKER_WEB_PORT": "24001",
    "TFMODEL_BROKER_WORKER_PORT": "24002",
    "TFMODEL_BROKER_PUBLISH_PORT": "24003",
    "TFMODEL_BROKER_COLLECT_PORT": "24004",
}


class RecordingSupervisor:
    """Stands in for supervisord's client: notes what it was asked to do."""

    def __init__(self, running: bool = False, spawn_error: str = "") -> None:
        self.calls: list[str] = []
        self.socket = Path("/nowhere/supervisor.sock")
        self._running, self._spawn_error = running, spawn_error

    def pid(self) -> int | None:
        return 4242 if self._running else None

    def spawn(self, config: Path, environ: object) -> None:
        self.calls.append("spawn")
        if self._spawn_error:
            raise SupervisorError(self._spawn_error)

    def shutdown(self, timeout_s: float) -> bool:
        self.calls.append("shutdown")
        return True


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> RecordingSupervisor:
    supervisor = RecordingSupervisor()
    monkeypatch.setattr(service_commands, "SupervisorClient", lambda home: supervisor)
    monkeypatch.setattr(service_commands, "write_config", lambda settings: Path("/nowhere/supervisord.conf"))
    monkeypatch.setattr(service_commands, "_make_data_roots", lambda settings: None)
    monkeypatch.setattr(service_commands, "check_journal", lambda settings, new_journal: "")
    monkeypatch.setattr(service_commands, "find_orphans", lambda socket: [])
    return supervisor


def test_a_typing_error_in_the_settings_leaves_the_running_service_alone(
    supervised: RecordingSupervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    supervised._running = True
    assert service_commands.start({"TFMODEL_WEB_PORTT": "2333"}) == 1
    assert "TFMODEL_WEB_PORTT" in capsys.readouterr().err
    assert supervised.calls == []


def test_a_taken_port_is_named_and_nothing_is_stopped(
    supervised: RecordingSupervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert service_commands.start({**PORTS, "TFMODEL_WEB_PORT": port}) == 1
    assert f"Port {port}" in capsys.readouterr().err
    assert supervised.calls == []


def test_the_loser_of_two_starts_at_once_does_not_stop_the_winner(
    supervised: RecordingSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_commands, "_check_ports", lambda settings: None)
    supervised._spawn_error = "another program is listening on the socket"
    assert service_commands.start({}) == 1
    assert supervised.calls == ["spawn"]


def test_a_start_that_fails_half_way_stops_what_it_had_started(
    supervised: RecordingSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise service_commands.StartError("The program broker died.")

    monkeypatch.setattr(service_commands, "_check_ports", lambda settings: None)
    monkeypatch.setattr(service_commands, "_wait_until_ready", die)
    assert service_commands.start({}) == 1
    assert supervised.calls == ["spawn", "shutdown"]


def test_a_supervisord_that_hangs_before_it_is_up_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = [sys.executable, "-c", "import signal; signal.pause()"]
    monkeypatch.setattr(supervisor_client, "supervisord_command", lambda config: waits)
    monkeypatch.setattr(supervisor_client, "SPAWN_TIMEOUT_S", 0.1)
    with pytest.raises(SupervisorError, match=r"did not start within 0\.1 s"):
        SupervisorClient(tmp_path).spawn(tmp_path / "supervisord.conf", {})
