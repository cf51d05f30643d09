"""What peers claim is checked again by the broker: folders, options, models, results, names."""

from __future__ import annotations

from typing import Any

import pytest

from broker import workers
from broker.claims import is_model_of, is_plain_path, lies_below
from broker.core import SNAPSHOT_INTERVAL_S
from broker.events import LeftOut, SendWeb, TimePassed
from protocol import messages as m
from protocol import wire
from protocol.bounds import MAX_ENDED_ATTEMPTS, PART_BYTES
from protocol.errors import Failure, FailureClass
from protocol.task import TaskState, Trained
from tests.broker_driver import TRAINED, TTL_S, Broker, with_running_task
from tests.sample_tasks import hex_id, make_spec

# ---- a submit ----


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"project_path": "/etc"}, "project_dir_not_allowed"),
        ({"project_path": "/projects"}, "project_dir_not_allowed"),
        ({"project_path": "/projects-of-others/x"}, "project_dir_not_allowed"),
        ({"project_path": "/projects/a-root-inside"}, "project_dir_not_allowed"),
        ({"project_path": "/projects/../etc"}, "bad_fields"),
        ({"project_path": "/projects/anna/"}, "bad_fields"),
        ({"project_path": "//projects/anna"}, "bad_fields"),
        ({"project_path": "projects/anna"}, "bad_fields"),
        ({"project_path": ""}, "bad_fields"),
        ({"project_path": "/projects/anna\n"}, "bad_fields"),
        ({"user_id": "anna\nERROR forged"}, "bad_fields"),
        ({"project_dir": "x\x9b"}, "bad_fields"),
        ({"request_key": "\x00"}, "bad_fields"),
        ({"train_type": "detection"}, "bad_fields"),
        ({"options": {"epochs": 0}}, "bad_fields"),
        ({"options": {"epochs": "many"}}, "bad_fields"),
        ({"options": {"learningRate": float("nan")}}, "bad_fields"),
        ({"options": {"unheardOf": 1}}, "bad_fields"),
        ({"options": {"exports": ["tflite", "exe"]}}, "bad_fields"),
        ({"priority": 100}, "bad_fields"),
        ({"max_seconds": 5}, "bad_fields"),
        ({"retry_of": "t1"}, "bad_fields"),
        ({"webhook": "https://elsewhere.example/"}, "webhook_not_allowed"),
        ({"webhook": "https://shop.example\n"}, "webhook_not_allowed"),
        ({"webhook": "file:///etc/passwd"}, "webhook_not_allowed"),
    ],
)
def test_a_bad_submit_is_refused_and_leaves_no_fact(changes: dict[str, Any], code: str) -> None:
    roots = ("/projects", "/more", "/projects/a-root-inside")
    broker = Broker(data_roots=roots, webhook_hosts=("shop.example",))
    refused = broker.submit(**changes)
    assert isinstance(refused, m.Refused)
    assert refused.code == code
    assert broker.records == []


def test_a_webhook_of_an_allowed_host_is_taken() -> None:
    broker = Broker(webhook_hosts=("shop.example",))
    assert broker.submit(webhook="https://shop.example/hook").task.spec.webhook == "https://shop.example/hook"


def test_a_good_submit_is_taken_from_any_of_the_roots() -> None:
    broker = Broker(data_roots=("/projects", "/more"))
    options = {"epochs": 3, "learningRate": 0.01, "exports": ["tflite"], "priority": 5, "maxSeconds": 60}
    assert broker.submit("t1", options=options, priority=5, max_seconds=60).task.state is TaskState.PENDING
    assert broker.submit("t2", project_path="/more/x").task.state is TaskState.PENDING


BUCKET = ("s3://photos/users", "gs://more")


@pytest.mark.parametrize("url", ["s3://photos/users/anna", "gs://more/x"])
def test_a_project_in_object_storage_is_taken_below_its_root(url: str) -> None:
    assert Broker(data_roots=BUCKET).submit(project_path=url).task.state is TaskState.PENDING


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("s3://photos/users", "project_dir_not_allowed"),
        ("s3://photos/usersx/anna", "project_dir_not_allowed"),
        ("s3://other/users/anna", "project_dir_not_allowed"),
        ("gs://photos/users/anna", "project_dir_not_allowed"),
        ("s3://photos/users/../anna", "bad_fields"),
        ("s3://photos/users/anna/", "bad_fields"),
        ("S3://photos/users/anna", "bad_fields"),
        ("s3://key:secret@photos/users/anna", "bad_fields"),
        ("s3://photos/users/anna?X-Amz-Signature=1", "bad_fields"),
    ],
)
def test_a_project_elsewhere_in_object_storage_is_refused(url: str, code: str) -> None:
    refused = Broker(data_roots=BUCKET).submit(project_path=url)
    assert isinstance(refused, m.Refused)
    assert refused.code == code


def test_a_model_in_object_storage_lies_in_its_own_tasks_folder() -> None:
    spec = make_spec("t1", project_path="s3://photos/users/anna")
    models = f"{spec.project_path}/models"
    assert is_model_of(f"{models}/{spec.task_id}/model.tflite", spec)
    for path in (
        f"{models}/{spec.task_id}/../x",
        f"{models}/{hex_id('t2')}/model.tflite",
        f"s3://other/models/{spec.task_id}/model.tflite",
        f"/models/{spec.task_id}/model.tflite",
    ):
        assert not is_model_of(path, spec)


@pytest.mark.parametrize(("path", "folder", "below"), [("/a/b", "/a", True), ("/a", "/a", False), ("/ab", "/a", False)])
def test_below_means_inside(path: str, folder: str, below: bool) -> None:
    assert lies_below(path, folder) is below
    assert lies_below(path, "/") is True


def test_a_models_place_is_its_own_tasks_folder() -> None:
    spec = make_spec("t1")
    assert is_model_of("/projects/anna/flowers/models/t1/model.tflite", spec)
    for path in (
        "/projects/anna/flowers/models/t1",
        "/projects/anna/flowers/models/t1/../t2/model.tflite",
        "/projects/anna/flowers/models/t11/model.tflite",
        "/projects/anna/flowers/models/latest/model.tflite",
        "/projects/bert/flowers/models/t1/model.tflite",
        "models/t1/model.tflite",
        "",
    ):
        assert not is_model_of(path, spec), path
    assert not is_plain_path("/a\x00b")


# ---- results ----


def test_a_result_of_a_peer_that_never_said_hello_is_not_even_acknowledged() -> None:
    broker = with_running_task()
    assert broker.worker(m.Result("t1", 1, cancelled=True), b"stranger") == [m.HelloWanted(broker.wall_s)]
    assert broker.lookup().state is TaskState.PROCESSING


def test_a_result_of_a_worker_that_does_not_hold_the_attempt_is_acknowledged_and_ignored() -> None:
    broker = with_running_task()
    broker.hello("w2")
    for result in (m.Result("t1", 1, cancelled=True), m.Result("t1", 1, trained=TRAINED)):
        assert broker.worker(result, b"w2") == [m.ResultAck("t1", 1)]
    assert broker.lookup().state is TaskState.PROCESSING


def test_after_a_restart_the_holder_says_hello_and_its_result_counts() -> None:
    broker = Broker(with_running_task().records)
    result = m.Result("t1", 1, trained=TRAINED)
    assert broker.worker(result, b"new") == [m.HelloWanted(broker.wall_s)]
    broker.worker(m.Hello("w1", "s1", "here", ("classification",), True), b"new")
    assert m.ResultAck("t1", 1) in broker.worker(result, b"new")
    assert broker.lookup().state is TaskState.DONE


def test_a_model_elsewhere_is_a_failure_and_its_path_reaches_nobody() -> None:
    broker = with_running_task()
    broker.worker(m.Result("t1", 1, trained=Trained("/etc/passwd")))
    task = broker.lookup()
    assert (task.state, task.attempt, task.trained) == (TaskState.PENDING, 2, None)
    assert task.ended_attempts[0].code == "trainer_error"


def test_a_failures_class_follows_from_its_code_whatever_the_worker_says() -> None:
    broker = with_running_task()
    broker.worker(m.Result("t1", 1, failure=Failure("trainer_error", FailureClass.DATA, "It says: give up at once.")))
    assert broker.lookup().state is TaskState.PENDING
    broker.worker(m.Heartbeat(True))
    broker.worker(m.Result("t1", 2, failure=Failure("made_up", FailureClass.LOST, "It says: try for ever.")))
    task = broker.lookup()
    assert (task.state, task.failure.code if task.failure else "") == (TaskState.FAILED, "trainer_error")


def test_a_worker_that_hands_back_without_end_does_not_make_the_task_grow_without_end() -> None:
    broker = with_running_task()
    broker.worker(m.Result("t1", 1, failure=Failure("trainer_error", FailureClass.TRAINER, "It counts.")))
    for attempt in range(2, MAX_ENDED_ATTEMPTS + 20):
        broker.worker(m.Heartbeat(True))
        broker.worker(m.Result("t1", attempt, handed_back=True))
    ends = broker.lookup().ended_attempts
    assert len(ends) == MAX_ENDED_ATTEMPTS
    assert [end.attempt for end in ends if end.counted] == [1], "what counts is never forgotten"


# ---- names ----


def test_one_connection_is_one_worker() -> None:
    broker = Broker()
    broker.hello("w1")
    answer = broker.worker(m.Hello("w2", "s2", "here", ("classification",), True), b"w1")
    assert isinstance(answer[0], m.Rejected)
    assert "connection" in answer[0].error
    assert len(broker.core.workers) == 1


def test_so_many_workers_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MAX_WORKERS", 3)
    broker = Broker()
    answers = [broker.hello(f"w{number}")[0] for number in range(5)]
    assert [type(answer) for answer in answers] == [m.Welcome] * 3 + [m.Rejected] * 2
    assert isinstance(broker.hello("w0")[0], m.Welcome), "who is known may come again"
    broker.wait(TTL_S + 1)
    assert isinstance(broker.hello("w9")[0], m.Welcome), "the silent ones made room"


def test_a_list_of_workers_that_is_too_large_for_a_message_says_how_many_are_left_out() -> None:
    devices = tuple(f"{number:080}" for number in range(m.MAX_DEVICES))
    broker = Broker()
    for number in range(3000):
        name = f"{number:080}"
        broker.hello(name)
        broker.worker(m.Heartbeat(True, devices=devices), name.encode())
    answer = broker.web(m.WorkersWanted(4))
    assert 0 < answer.more < 3000
    assert len(answer.workers) + answer.more == 3000
    assert len(wire.encode(answer)[1]) <= wire.MAX_PAYLOAD_BYTES


def test_what_front_ends_are_sent_does_not_tell_a_workers_start_id() -> None:
    broker = Broker()
    broker.hello("w1", start_id="000000000000001-5ec12e75")
    broker.submit()
    key = broker.core.holders["t1"].publish_key
    replies = [broker.web(message) for message in (m.Lookup(1, "t1"), m.Cancel(2, "t1"), m.SnapshotWanted(3))]
    sent = repr([*replies, *broker.published, broker.web(m.WorkersWanted(4)), broker.core.tick()])
    assert "5ec12e75" not in sent
    assert key not in sent


# ---- snapshots ----


def snapshot_of(broker: Broker) -> list[m.SnapshotPart]:
    broker.web(m.SnapshotWanted(1))
    sent = [effect.message for effect in broker.effects if isinstance(effect, SendWeb)]
    return [part for part in sent if isinstance(part, m.SnapshotPart)]


def test_a_snapshot_is_cut_by_bytes() -> None:
    broker = Broker()
    text = "x" * (PART_BYTES // 3)
    for number in range(7):
        broker.submit(hex_id(number), project_dir=text)
    parts = snapshot_of(broker)
    assert [len(part.tasks) for part in parts] == [2, 2, 2, 1]
    assert [(part.first, part.last) for part in parts] == [(True, False), (False, False), (False, False), (False, True)]


def test_a_record_that_no_message_can_hold_is_left_out_and_named() -> None:
    broker = Broker()
    broker.submit("small")
    broker.submit("large", project_dir="x" * (PART_BYTES + 1))
    parts = snapshot_of(broker)
    assert [[task.task_id for task in part.tasks] for part in parts] == [["small"]]
    assert [effect.task_id for effect in broker.effects if isinstance(effect, LeftOut)] == ["large"]


def test_a_front_end_that_asks_without_pause_gets_one_snapshot_at_a_time() -> None:
    broker = Broker()
    assert len(snapshot_of(broker)) == 1
    assert snapshot_of(broker) == []
    broker.now_s += SNAPSHOT_INTERVAL_S
    broker.handle(TimePassed())
    assert len(snapshot_of(broker)) == 1
