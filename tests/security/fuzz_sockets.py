"""Nonsense for the broker's four sockets, from a seed: nothing of it may keep the service from answering.

`fuzz_sockets` sends messages that are valid but for one field, cut short, huge, nested, of another version or in
another number of frames, and raw bytes that are no ZeroMQ at all. Part of it comes from a stranger's connection, part
from a peer that has been admitted (a worker that was welcomed). In between it asks the service for an answer.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import zmq

from conf.curve import FRONT_END, WORKER, ClientKeys, local_client_keys
from conf.endpoints import connect_endpoints
from conf.settings import Settings
from protocol import messages as m
from protocol import wire
from protocol.artifact import Artifact, UsableModel
from protocol.end_reason import EndReason
from protocol.errors import Failure, FailureClass
from protocol.message import Message
from protocol.queries import EventsWanted, TasksWanted
from protocol.task import TaskSpec, TaskState, Trained
from protocol.task_filter import TaskFilter

Examples = dict[str, tuple[Message, ...]]

ASK_EVERY = 100
HUGE_BYTES = 2_000_000
SOCKET_KINDS = {"web": zmq.DEALER, "worker": zmq.DEALER, "collect": zmq.PUB, "publish": zmq.XSUB}
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, float("nan"), float("inf"), "", "x", "../" * 10, "\x00", "\ud7ff", b"\xff" * 9),
    *("0" * 32, "g" * 32, "x" * 10_000, [], [[[]]], {}, {"type": "Hello"}, [{"": None}] * 50, {"a": 1e308}),
)


def fuzz_sockets(
    settings: Settings, project_path: str, inputs: int, seed: int, answers: Callable[[], bool]
) -> dict[str, int]:
    """Send so many inputs to the running broker of these settings.

    project_path: a folder that tasks may name, so that some of the inputs are taken.
    answers: asks the service something, and says whether it answered as it should.

    Returns {"inputs": …, "not_answering": how often it did not}. Raises nothing for what the broker does.
    """
    chance = random.Random(seed)
    not_answering = 0
    examples = _examples(project_path)
    (endpoints,) = connect_endpoints(settings)
    with contextlib.ExitStack() as stack:
        senders = {
            name: stack.enter_context(_Sender(name, getattr(endpoints, name), settings)) for name in SOCKET_KINDS
        }
        for number in range(1, inputs + 1):
            name = chance.choice(tuple(SOCKET_KINDS))
            if chance.random() < 0.1:
                _send_raw(getattr(endpoints, name), chance.randbytes(chance.choice((1, 10, 64, 5000))))
            else:
                senders[name].send(_frames(name, examples, chance), admitted=chance.random() < 0.5)
            if number % ASK_EVERY == 0 or number == inputs:
                not_answering += not answers()
    return {"inputs": inputs, "not_answering": not_answering}


class _Sender:
    """A stranger's connection to one socket and, at the worker's, one that was welcomed. Never waits for long."""

    def __init__(self, name: str, endpoint: str, settings: Settings) -> None:
        self._name = name
        self._endpoint = endpoint
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        role = WORKER if name in ("worker", "collect") else FRONT_END
        self._stranger, self._admitted = self._socket(None), self._socket(local_client_keys(settings, role))
        if name == "worker":
            hello = m.Hello("fuzzer", "0-fuzzer", "here", ("classification",), ready=True)
            self._admitted.send_multipart(wire.encode(hello))

    def __enter__(self) -> _Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.destroy(linger=0)

    def _socket(self, keys: ClientKeys | None) -> zmq.Socket[bytes]:
        opened = self._context.socket(SOCKET_KINDS[self._name])
        opened.linger = 0
        opened.reconnect_ivl = 1  # the broker closes the connection of whoever sends too much
        if keys is not None:
            keys.protect(opened)
        opened.connect(self._endpoint)
        return opened

    def send(self, frames: list[bytes], admitted: bool) -> None:
        target = self._admitted if admitted else self._stranger
        with contextlib.suppress(zmq.Again):  # a stranger whom the broker does not let in
            target.send_multipart(frames, zmq.NOBLOCK)
        while target.type != zmq.PUB and target.poll(0):
            target.recv_multipart()


def _send_raw(endpoint: str, text: bytes) -> None:
    """Bytes without ZeroMQ's handshake, or with its beginning."""
    scheme, _, address = endpoint.partition("://")
    with contextlib.suppress(OSError):
        if scheme == "ipc":
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(1.0)
            connection.connect(address)
        else:
            host, _, port = address.rpartition(":")
            connection = socket.create_connection((host.strip("[]"), int(port)), timeout=1.0)
        with connection:
            greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL" if len(text) % 2 else b""
            connection.sendall(greeting + text)


def _frames(name: str, examples: Examples, chance: random.Random) -> list[bytes]:
    """One input for that socket."""
    if name == "publish":
        return [chance.choice((b"\x01", b"\x00", b"\x02", b"")) + chance.randbytes(chance.choice((0, 5, 300, 3000)))]
    # Through msgpack and back: to_builtins passes the examples' own dicts on, which are to be changed here.
    fields = msgpack.unpackb(wire.pack(chance.choice(examples[name])))
    payload = msgpack.packb(_changed(fields, chance))
    match chance.randrange(10):
        case 0:
            return [chance.choice((b"", b"TFM1", b"TFM9", b"x" * 1000)), payload]
        case 1:
            return [wire.VERSION, *([payload] * chance.choice((0, 2, 5, 200)))]
        case 2:
            return [wire.VERSION, payload[: chance.randrange(len(payload))]]
        case 3:
            return [wire.VERSION, _flipped(payload, chance)]
        case 4:
            return [wire.VERSION, chance.choice((b"\x91", b"\x81\xa1x", b"\xdd\xff\xff\xff\xff", b"\xc1")) * 5000]
        case 5 if chance.random() < 0.2:
            return [wire.VERSION, msgpack.packb({**fields, "more": "x" * HUGE_BYTES})]
    return [wire.VERSION, payload]


def _changed(value: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The same fields with one of them, at any depth, replaced or left out."""
    places = list(_places(value))
    holder, key = chance.choice(places)
    if chance.random() < 0.1:
        del holder[key]
    else:
        holder[key] = chance.choice(ODD_VALUES)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    for key, inner in pairs:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _flipped(payload: bytes, chance: random.Random) -> bytes:
    changed = bytearray(payload)
    for _ in range(chance.choice((1, 1, 3, 20))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _examples(project_path: str) -> Examples:
    """Messages of which one field is changed, by socket."""
    task_id = "0" * 31 + "1"
    spec = TaskSpec(task_id, "u", "p", "d", project_path, "classification", {"epochs": 3, "exports": ["tflite"]})
    model = f"{project_path}/models/{task_id}/model.tflite"
    trained = Trained(model, {"accuracy": 0.5}, {"head": 1.0}, end_reason=EndReason.EPOCHS)
    failure = Failure("no_images", FailureClass.DATA, "words", "trace")
    usable = UsableModel(model, Artifact("model.tflite", 9, "a" * 64))
    progress = m.Progress(task_id, 1, 50.0, "train", 3.0, 1, {"loss": 0.5}, 1.0, 5.0, 9, usable)
    holding = m.Holding(task_id, 1)
    return {
        "web": (
            *(m.Submit(1, spec), m.Lookup(2, task_id), m.Cancel(3, task_id), m.StopEarly(4, task_id)),
            *(m.SnapshotWanted(5), m.WorkersWanted(6), m.DrainWanted(7, "w9", True), EventsWanted(8, 0, task_id)),
            TasksWanted(9, TaskFilter("u", states=(TaskState.DONE,), metadata={"order": "7"}), most=3),
        ),
        "worker": (
            m.Hello("w9", "000000000000009-00000000", "here", ("classification",), True, holding),
            *(m.Heartbeat(True, holding), m.Goodbye(), m.Result(task_id, 1, trained=trained)),
            m.Result(task_id, 1, failure=failure, progress=3.0),
        ),
        "collect": (m.KeyedProgress("0" * 64, progress),),
    }
