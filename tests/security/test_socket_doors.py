"""The doors of the broker's sockets, tried from outside with a real broker and a real front-end."""

from __future__ import annotations

import contextlib
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import msgspec
import psutil
import pytest
import zmq

from broker.publisher import MAX_MADE_UP_TOPICS, MAX_SUBSCRIPTIONS
from conf.curve import FRONT_END, WORKER, ClientKeys, load_client_keys
from protocol import messages as m
from protocol import wire
from protocol.artifact import UsableModel
from protocol.message import Message
from protocol.task import TaskSpec, Trained
from tests.sample_tasks import hex_id, make_artifact
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S, wait_until

TIMEOUT_MS = int(TIMEOUT_S * 1000)
SILENCE_MS = 500


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    with Programs(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """For tests that change nothing which another one of them looks at."""
    with Programs(tmp_path_factory.mktemp("shared")) as running:
        yield running


@contextlib.contextmanager
def peer(kind: int, endpoint: str, keys: ClientKeys | None = None) -> Iterator[zmq.Socket[bytes]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    try:
        socket = context.socket(kind)
        socket.linger = 0
        if kind == zmq.SUB:
            socket.subscribe(b"")
        if keys is not None:
            keys.protect(socket)
        socket.connect(endpoint)
        yield socket
    finally:
        context.destroy(linger=0)


def say(socket: zmq.Socket[bytes], message: Message) -> None:
    """Send; a peer that was turned away has nowhere to send to."""
    with contextlib.suppress(zmq.Again):
        socket.send_multipart(wire.encode(message), zmq.NOBLOCK)


def ask(socket: zmq.Socket[bytes], message: m.WebToBroker) -> m.BrokerToWeb:
    socket.send_multipart(wire.encode(message))
    assert socket.poll(TIMEOUT_MS), "no answer"
    answer: m.BrokerToWeb = wire.decode(socket.recv_multipart(), m.BrokerToWeb)
    return answer


def spec_for(programs: Programs, **changes: Any) -> TaskSpec:
    folder = str(programs.projects / "anna" / "flowers")
    spec = TaskSpec(hex_id(7), "anna", "flowers", "anna/flowers", folder, "classification")
    return msgspec.structs.replace(spec, **changes)


def is_unknown(programs: Programs, task_id: str) -> bool:
    return programs.task(task_id).status == 404


# ---- who gets in ----


@pytest.mark.door(10)
def test_nothing_listens_at_a_port_and_the_folder_is_its_owners(shared: Programs) -> None:
    broker = psutil.Process(shared.pid("broker"))
    assert [connection for connection in broker.net_connections("inet") if connection.status == "LISTEN"] == []
    folder = Path(shared.endpoints.web.removeprefix("ipc://")).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.door(10)
def test_a_checkout_that_lies_deep_starts(tmp_path: Path) -> None:
    deep = tmp_path / ("deep" * 25) / "state"
    with Programs(tmp_path, HOME=deep) as programs, ScriptedWorker(programs.endpoints.worker) as worker:
        folder = Path(programs.endpoints.web.removeprefix("ipc://")).parent
        assert not folder.is_relative_to(tmp_path)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        worker.join()
        task_id = programs.post_id()
        worker.finish(worker.receive(m.Start))
        wait_until(lambda: programs.task(task_id).body["state"] == "done", "the end of the task")


@pytest.mark.door(10)
def test_a_second_broker_does_not_take_the_sockets_over(programs: Programs, tmp_path: Path) -> None:
    programs.environ["TFMODEL_BROKER_JOURNAL"] = str(tmp_path / "other.sqlite3")
    done = programs.run("-m", "broker")
    assert (done.returncode, "another broker uses the sockets" in done.stderr) == (78, True)
    assert programs.post().status == 200


@pytest.fixture
def tcp(tmp_path: Path) -> Iterator[Programs]:
    with Programs(tmp_path, BROKER_HOST="127.0.0.1") as running:
        yield running


def keys_of(programs: Programs, role: str) -> ClientKeys:
    return load_client_keys(programs.settings.broker.curve_path, role)


@pytest.mark.door(10)
def test_over_tcp_nobody_is_heard_without_a_key_on_loopback_either(tcp: Programs) -> None:
    with peer(zmq.DEALER, tcp.endpoints.web) as front_end, peer(zmq.DEALER, tcp.endpoints.worker) as thief:
        say(front_end, m.Submit(1, spec_for(tcp)))
        say(thief, m.Hello("thief", "s1", "here", ("classification",), True))
        with peer(zmq.SUB, tcp.endpoints.publish) as listener:
            assert not listener.poll(2 * SILENCE_MS), "ticks come every second"
        assert not front_end.poll(0)
        assert not thief.poll(0)
    assert is_unknown(tcp, hex_id(7))
    assert tcp.get("/v1/workers").body["workers"] == []


@pytest.mark.door(10)
def test_each_role_is_admitted_to_its_own_ports_only(tcp: Programs) -> None:
    worker_keys, front_end_keys = keys_of(tcp, WORKER), keys_of(tcp, FRONT_END)
    with (
        ScriptedWorker(tcp.endpoints.worker, "honest", worker_keys) as honest,
        peer(zmq.DEALER, tcp.endpoints.worker, front_end_keys) as thief,
        peer(zmq.DEALER, tcp.endpoints.web, worker_keys) as false_front_end,
        peer(zmq.SUB, tcp.endpoints.publish, worker_keys) as false_listener,
        peer(zmq.SUB, tcp.endpoints.publish, front_end_keys) as listener,
        peer(zmq.DEALER, tcp.endpoints.web, front_end_keys) as front_end,
    ):
        say(thief, m.Hello("thief", "s1", "here", ("classification",), True))
        say(false_front_end, m.Submit(1, spec_for(tcp)))
        honest.join()
        assert isinstance(ask(front_end, m.WorkersWanted(2)), m.Workers)
        assert listener.poll(TIMEOUT_MS)
        assert not false_listener.poll(2 * SILENCE_MS)
        assert not thief.poll(0)
        assert not false_front_end.poll(0)
        assert is_unknown(tcp, hex_id(7))
        assert [worker["name"] for worker in tcp.get("/v1/workers").body["workers"]] == ["honest"]
        task_id = tcp.post_id()
        honest.finish(honest.receive(m.Start))
        wait_until(lambda: tcp.task(task_id).body["state"] == "done", "the end of the task")


@pytest.mark.door(10)
def test_a_broker_with_keys_is_restarted_under_its_workers(tcp: Programs) -> None:
    with ScriptedWorker(tcp.endpoints.worker, "w1", keys_of(tcp, WORKER)) as worker:
        worker.join()
        assert tcp.stop("broker", signal.SIGTERM) == 0
        tcp.start("broker")
        tcp.wait_synced()
        worker.join()
        task_id = tcp.post_id()
        worker.finish(worker.receive(m.Start))
        wait_until(lambda: tcp.task(task_id).body["state"] == "done", "the end of the task")


# ---- what those inside may claim ----


@pytest.mark.door(10)
def test_a_submit_at_the_workers_socket_is_no_message_there(programs: Programs) -> None:
    with ScriptedWorker(programs.endpoints.worker) as stranger:
        stranger.send_frames(wire.encode(m.Submit(1, spec_for(programs))))
        wait_until(lambda: "broker.bad_frame" in programs.log_of("broker"), "the frame to be counted")
        assert stranger.hears_nothing(0.1)
    assert is_unknown(programs, hex_id(7))


@pytest.mark.door(10)
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"project_path": "/etc"}, "project_dir_not_allowed"),
        ({"project_path": "/etc/../root"}, "bad_fields"),
        ({"options": {"epochs": -1}}, "bad_fields"),
        ({"task_id": "../../anna/flowers/images/roses/x"}, "bad_fields"),
        ({"task_id": "../" + "a" * 29}, "bad_fields"),
        ({"user_id": "x" * 5000}, "bad_fields"),
    ],
)
def test_a_front_end_may_not_submit_just_anything(shared: Programs, changes: dict[str, Any], code: str) -> None:
    # A task of its own, because one that is known is not looked at again.
    good = spec_for(shared, task_id=hex_id(str(changes)))
    spec = msgspec.structs.replace(good, **changes)
    with peer(zmq.DEALER, shared.endpoints.web) as front_end:
        answer = ask(front_end, m.Submit(1, spec))
        assert isinstance(answer, m.Refused)
        assert answer.code == code
        assert isinstance(ask(front_end, m.Submit(2, good)), m.TaskReply), "a good one is taken"


@pytest.mark.door(10)
def test_a_key_that_no_message_may_carry_is_refused_at_once(shared: Programs) -> None:
    answer = shared.post({"Idempotency-Key": "caf\xe9\x85"})
    assert (answer.status, answer.body["code"]) == (400, "bad_fields")


@pytest.mark.door(10)
def test_only_the_holders_result_ends_a_task(programs: Programs) -> None:
    with (
        ScriptedWorker(programs.endpoints.worker, "w1") as holder,
        ScriptedWorker(programs.endpoints.worker, "w2") as other,
        ScriptedWorker(programs.endpoints.worker, "w3") as stranger,
    ):
        holder.join()
        task_id = programs.post_id()
        start = holder.receive(m.Start)
        # The front-end hears of the start on its own, maybe later than the worker.
        wait_until(lambda: programs.task(task_id).body["state"] == "processing", "the start of the task")
        forged = m.Result(task_id, start.attempt, cancelled=True)
        stranger.send(forged)
        stranger.receive(m.HelloWanted)
        other.join()
        other.send(forged)
        assert other.receive(m.ResultAck) == m.ResultAck(task_id, start.attempt)
        assert programs.task(task_id).body["state"] == "processing"
        holder.finish(start)
        body = wait_until(lambda: done(programs, task_id), "the end of the task")
        assert body["thread"] == "w1"


def done(programs: Programs, task_id: str) -> dict[str, Any]:
    body = programs.task(task_id).body
    return body if body["state"] == "done" else {}


@pytest.mark.door(10)
def test_a_model_elsewhere_never_reaches_a_caller(programs: Programs) -> None:
    with ScriptedWorker(programs.endpoints.worker) as worker:
        worker.join()
        task_id = programs.post_id()
        for attempt in (1, 2):
            worker.receive(m.Start)
            worker.send(m.Result(task_id, attempt, trained=Trained("/etc/passwd")))
            worker.receive(m.ResultAck)
            worker.send(m.Heartbeat(ready=True))
        wait_until(lambda: programs.task(task_id).body["state"] == "failed", "the end of the task")
        body = programs.get(f"/v1/tasks/{task_id}").body
        assert body["code"] == "trainer_error"
        assert "modelPath" not in body or body["modelPath"] is None


@pytest.mark.door(10)
def test_forged_progress_is_not_published(programs: Programs) -> None:
    endpoints = programs.endpoints
    with (
        ScriptedWorker(endpoints.worker, "w1") as holder,
        ScriptedWorker(endpoints.worker, "w2") as other,
        peer(zmq.PUB, endpoints.collect) as forger,
        peer(zmq.SUB, endpoints.publish) as listener,
    ):
        holder.join()
        task_id = programs.post_id()
        start = holder.receive(m.Start)
        other.join()
        for worker in (holder, other):
            worker.connect_progress(endpoints.collect)
        model = f"{start.spec.project_path}/models/{task_id}/model.tflite"

        elsewhere = UsableModel("/etc/passwd", make_artifact())

        def forge_until_the_truth_is_seen() -> bool:
            forged = m.Progress(task_id, 1, 90.0, "counterfeit", usable=UsableModel(model, make_artifact()))
            other.publish(forged)  # with a key, but another worker's
            forger.send_multipart(wire.encode(m.KeyedProgress("", forged)))
            forger.send_multipart(wire.encode(m.KeyedProgress("0" * 64, forged)))
            forger.send_multipart(wire.encode(forged))
            forger.send_multipart(wire.encode(m.Tick(10**6, 99, 99, 99, 0)))
            forger.send_multipart([b"anything", b"at", b"all"])
            holder.publish(m.Progress(task_id, 1, 95.0, "counterfeit", usable=elsewhere))
            holder.publish(m.Progress(task_id, 1, 30.0, "true"))
            return float(programs.task(task_id).body["progress"]) == 30.0

        wait_until(forge_until_the_truth_is_seen, "the holder's progress")
        wait_until(lambda: "progress_dropped" in programs.log_of("broker"), "forgeries to be counted")
        forge_until_the_truth_is_seen()
        assert programs.task(task_id).body["progress"] == 30.0
        heard: list[list[bytes]] = []
        while listener.poll(SILENCE_MS) and len(heard) < 500:
            heard.append(listener.recv_multipart())
            if b"Tick" in heard[-1][-1]:
                break
        assert not [frames for frames in heard if b"counterfeit" in frames[-1] or b"publish_key" in frames[-1]]
        assert all(frames[0] == wire.VERSION for frames in heard)


@pytest.mark.door(10)
def test_one_connection_is_one_worker(programs: Programs) -> None:
    with ScriptedWorker(programs.endpoints.worker, "w0") as worker:
        worker.join()
        for number in range(1, 50):
            worker.send(m.Hello(f"w{number}", "s1", "test", ("classification",), True))
            worker.receive(m.Rejected)
        assert len(programs.get("/v1/workers").body["workers"]) == 1


# ---- too much of it ----


@pytest.mark.door(11)
def test_huge_messages_keep_nobody_from_the_tasks(programs: Programs) -> None:
    with ScriptedWorker(programs.endpoints.worker) as worker, peer(zmq.DEALER, programs.endpoints.web) as front_end:
        worker.join()
        for number in range(3):
            fields = msgspec.to_builtins(m.Submit(number, spec_for(programs, task_id=hex_id(number))))
            fields["spec"]["project_id"] = "x" * 30_000_000
            front_end.send_multipart([wire.VERSION, msgpack.packb(fields)])
        wait_until(lambda: programs.get("/readyz").status == 200, "a service that is ready")
        programs.kill("web")
        programs.start("web")
        programs.wait_synced()
        wait_until(lambda: programs.get("/readyz").status == 200, "a restarted front-end that knows the tasks")
        assert all(is_unknown(programs, hex_id(number)) for number in range(3))


@pytest.mark.door(11)
def test_the_largest_tasks_that_are_taken_can_all_be_read_by_a_new_front_end(programs: Programs) -> None:
    large = "\U0001f600" * 4096
    with peer(zmq.DEALER, programs.endpoints.web) as front_end:
        for number in range(100):
            spec = spec_for(programs, task_id=hex_id(number), user_id=large, project_id=large, project_dir=large)
            assert isinstance(ask(front_end, m.Submit(number, spec)), m.TaskReply)
    programs.kill("web")
    programs.start("web")
    programs.wait_synced()
    assert programs.task(hex_id(99)).body["userId"] == large


@pytest.mark.door(11)
def test_a_peer_that_asks_and_never_reads_costs_little(programs: Programs) -> None:
    broker = psutil.Process(programs.pid("broker"))
    large = "x" * 4096
    with peer(zmq.DEALER, programs.endpoints.web) as front_end:
        for number in range(200):
            spec = spec_for(programs, task_id=hex_id(number), user_id=large, project_id=large, project_dir=large)
            ask(front_end, m.Submit(number, spec))
        before_mb = broker.memory_info().rss / 2**20
        with peer(zmq.DEALER, programs.endpoints.web) as greedy:
            for number in range(20_000):
                with contextlib.suppress(zmq.Again):
                    greedy.send_multipart(wire.encode(m.SnapshotWanted(number)), zmq.NOBLOCK)
            assert isinstance(ask(front_end, m.WorkersWanted(1)), m.Workers)
            assert programs.post().status == 200
            assert broker.memory_info().rss / 2**20 - before_mb < 100


@pytest.mark.door(11)
@pytest.mark.parametrize(("repeats", "most"), [(60, MAX_MADE_UP_TOPICS), (0, MAX_SUBSCRIPTIONS)])
def test_a_subscriber_without_end_is_cut_off(programs: Programs, repeats: int, most: int) -> None:
    """It makes up topics, or subscribes to everything again and again."""
    broker = psutil.Process(programs.pid("broker"))
    before_mb = broker.memory_info().rss / 2**20
    with peer(zmq.XSUB, programs.endpoints.publish) as subscriber:
        for number in range(20 * most):
            subscriber.send(b"\x01" + number.to_bytes(8, "big") * repeats)
        wait_until(lambda: "publisher_renewed" in programs.log_of("broker"), "the socket to be made anew")
    assert programs.post().status == 200
    programs.wait_synced()
    task_id = programs.post_id()
    programs.call("DELETE", f"/v1/tasks/{task_id}")
    assert programs.task(task_id).body["state"] == "cancelled"
    assert broker.memory_info().rss / 2**20 - before_mb < 50


@pytest.mark.door(11)
def test_nonsense_without_pause_does_not_fill_the_log(programs: Programs) -> None:
    with ScriptedWorker(programs.endpoints.worker) as stranger:
        for _ in range(5000):
            stranger.send_frames([b"nonsense"])
        wait_until(lambda: "count=5000 " in programs.log_of("broker"), "all bad frames counted")
    assert programs.log_of("broker").count("bad_frame") < 50
