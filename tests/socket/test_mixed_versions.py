"""Programs of several versions at one real broker: what is of another one is told so, and only equals help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from protocol import messages as m
from protocol import wire
from protocol.version import TENSORFLOW_SERIES, VERSION
from tests.socket import programs as commands
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import wait_until

SAME = {"tfmodel": VERSION, "tensorflow": f"{TENSORFLOW_SERIES}.0"}
OTHERS = {
    "other-tensorflow": SAME | {"tensorflow": f"{TENSORFLOW_SERIES}.99"},
    "other-release": SAME | {"tfmodel": f"{VERSION.rpartition('.')[0]}.99"},
}
#: The front-end of another release, whose messages have another version.
OTHER_FRONT_END = (
    "import runpy, sys; from protocol import wire; wire.VERSION = b'TFM99'; "
    "wire.encode.__defaults__ = (wire.VERSION,); sys.argv = ['server.py', 'run']; "
    "runpy.run_path('server.py', run_name='__main__')"
)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with Programs(tmp_path) as running:
        yield running


def joined(worker: ScriptedWorker, versions: dict[str, str]) -> ScriptedWorker:
    worker.send(m.Hello(worker.name, worker.start_id, "test", ("classification",), True, versions=versions))
    worker.receive(m.Welcome)
    return worker


def test_a_helper_runs_the_same_code_as_the_worker_that_it_helps(programs: Programs) -> None:
    with ExitStack() as stack:

        def enter(name: str, versions: dict[str, str]) -> ScriptedWorker:
            return joined(stack.enter_context(ScriptedWorker(programs.endpoints.worker, name)), versions)

        holder = enter("holder", SAME)
        programs.post_id(workers="4")
        start = holder.receive(m.Start)
        others = [enter(name, versions) for name, versions in OTHERS.items()]
        equal = enter("equal", SAME)
        held = m.Holding(start.spec.task_id, start.attempt)
        holder.send(m.Heartbeat(False, held, helpers_wanted=3))
        assert holder.receive(m.Pulse).helpers == 1
        assert equal.receive(m.Help).attempt == start.attempt
        for other in others:
            assert other.heartbeat(ready=True).helps is None
    found = programs.get("/v1/workers").body["workers"]
    assert {each["name"] for each in found if each["helping"]} == {"equal"}


def test_callers_of_a_front_end_of_another_release_are_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(commands.COMMANDS, "web", ["-c", OTHER_FRONT_END])
    with Programs(tmp_path, start=False) as programs:
        programs.start("broker")
        programs.start("web")
        wait_until(lambda: "web.listening" in programs.log_of("web"), "the front-end")
        for answer in (programs.post(), programs.get("/v1/workers"), programs.get("/v1/events?wait=0")):
            assert (answer.status, answer.body["code"]) == (503, "broker_away"), answer
        error = programs.post().body["error"]
        assert f"version TFM99 instead of {wire.VERSION.decode()}; run the same release" in error
        assert not programs.get("/readyz").body["ready"]
        assert "same release" in programs.log_of("web")
