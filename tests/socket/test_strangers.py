"""Peers that speak nonsense, another version, or without a key: they harm nothing and hear nothing."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import msgpack
import pytest
import zmq

from protocol import messages as m
from protocol import wire
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S, wait_until

BAD_FRAMES: list[list[bytes]] = [
    [b""],
    [b"", b"", b"", b"", b""],
    [b"TFMX", wire.pack(m.Goodbye())],
    [wire.VERSION, b""],
    [wire.VERSION, b"\xc1 not msgpack"],
    [wire.VERSION, b"\x91" * 5000],
    [wire.VERSION, msgpack.packb({"type": "Hello"})],
    [wire.VERSION, msgpack.packb({"type": "Result", "task_id": 3, "attempt": "x"})],
    [wire.VERSION, msgpack.packb([1, 2, {"type": "Hello"}])],
    [wire.VERSION, wire.pack(m.WorkersWanted(1))],
    [wire.VERSION, b"x" * 100_000],
]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("strangers")) as running:
        yield running


def test_a_worker_that_speaks_nonsense_harms_nothing(tmp_path: Path) -> None:
    """With a broker of its own, which has counted no other bad frames."""
    with (
        Programs(tmp_path) as programs,
        ScriptedWorker(programs.endpoints.worker, "stranger") as stranger,
        ScriptedWorker(programs.endpoints.worker) as worker,
    ):
        worker.join()
        for frames in BAD_FRAMES:
            stranger.send_frames(frames)
        wait_until(lambda: f"count={len(BAD_FRAMES)} " in programs.log_of("broker"), "all bad frames counted")
        assert stranger.hears_nothing(within_s=0.1)
        task_id = programs.post_id()
        worker.finish(worker.receive(m.Start))
        wait_until(lambda: programs.task(task_id).body["state"] == "done", "the end of the task")
        assert stranger.join() is stranger, "and it may still learn to speak"


#: What a worker of an earlier version, and one of a later version may say.
OTHER_VERSIONS = {
    b"TFM3": {"type": "Hello", "worker": "w1", "start_id": "s1", "host": "here", "ready": True},
    b"TFM9": {"type": "Hello", "what": "nobody knows yet"},
}


@pytest.mark.parametrize("spoken", OTHER_VERSIONS)
def test_a_worker_of_another_version_is_told_so_in_its_own(programs: Programs, spoken: bytes) -> None:
    with ScriptedWorker(programs.endpoints.worker) as other:
        other.send_frames([spoken, msgpack.packb(OTHER_VERSIONS[spoken])])
        version, payload = other.next_frames(within_s=TIMEOUT_S)
        answer = msgpack.unpackb(payload)
        assert (version, answer["type"], answer["for_good"]) == (spoken, "Rejected", True)
        assert spoken.decode() in answer["error"]
        assert programs.get("/v1/workers").body["workers"] == []
        assert "same release" in answer["error"]
        assert other.join() is other, "after an update it is welcome"
        other.leave()


def test_a_front_end_of_another_version_is_told_so_in_its_own(programs: Programs) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        other = context.socket(zmq.DEALER)
        other.linger = 0
        other.connect(programs.endpoints.web)
        other.send_multipart([b"TFM9", msgpack.packb({"type": "Ask", "request_id": 7, "more": [1, 2]})])
        assert other.poll(int(TIMEOUT_S * 1000))
        version, payload = other.recv_multipart()
        answer = msgpack.unpackb(payload)
        assert (version, answer["type"], answer["request_id"]) == (b"TFM9", "Refused", 7)
        assert answer["code"] == "broker_away", "its caller is not at fault"
        assert "same release" in answer["error"]
    finally:
        context.destroy(linger=0)


@pytest.mark.parametrize("name", ["web", "collect", "publish"])
def test_nonsense_at_the_other_sockets_harms_nothing(programs: Programs, name: str) -> None:
    kinds = {"web": zmq.DEALER, "collect": zmq.PUB, "publish": zmq.XSUB}
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        stranger = context.socket(kinds[name])
        stranger.linger = 0
        stranger.connect(getattr(programs.endpoints, name))
        for _ in range(10):
            for frames in BAD_FRAMES:
                stranger.send_multipart(frames)
            assert programs.post().status == 200
    finally:
        context.destroy(linger=0)


def test_bytes_that_are_no_zeromq_harm_nothing(programs: Programs) -> None:
    for name in ("web", "worker", "publish", "collect"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(getattr(programs.endpoints, name).removeprefix("ipc://"))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(range(256)))
    assert programs.post().status == 200


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    with Programs(tmp_path, start=False) as programs:
        keys = programs.settings.broker.curve_path
        assert programs.run("server.py", "keys", "make").returncode == 0
        before = {file.name: file.read_bytes() for file in keys.rglob("*.key*")}
        again = programs.run("server.py", "keys", "make")
        assert again.returncode != 0
        assert re.search("holds keys already", again.stderr)
        assert {file.name: file.read_bytes() for file in keys.rglob("*.key*")} == before


@pytest.mark.parametrize("program", [["-m", "broker"], ["server.py", "run"], ["-m", "trainer_worker"]])
def test_a_folder_without_keys_stops_every_program_with_the_key_named(tmp_path: Path, program: list[str]) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").touch()
    settings = {"BROKER_HOST": "127.0.0.1", "BROKER_CURVE_DIR": tmp_path / "taken"}
    with Programs(tmp_path, start=False, **settings) as programs:
        done = programs.run(*program)
        assert done.returncode == 78
        assert "[broker] curve_dir" in done.stderr
        assert "server.py keys make" in done.stderr
