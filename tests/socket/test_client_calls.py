"""The Python client against a real front-end and a real broker, with a worker that follows a script."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from protocol import messages as m
from tests.socket.both_clients import KINDS, either_client
from tests.socket.client_answers import TASK_ID
from tests.socket.programs import Programs
from tests.socket.scripted_worker import ScriptedWorker
from tests.waiting import TIMEOUT_S, wait_until
from tfmodel_client import Client, errors

Make = Callable[[], AbstractContextManager[Client]]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    with Programs(tmp_path_factory.mktemp("client")) as running:
        yield running


@pytest.fixture
def worker(programs: Programs) -> Iterator[ScriptedWorker]:
    with ScriptedWorker(programs.endpoints.worker) as scripted:
        yield scripted.join()


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, programs: Programs) -> Make:
    """Makes a client of either kind. A client belongs to the thread that makes it."""
    return lambda: either_client(request.param, f"http://127.0.0.1:{programs.ports['WEB_PORT']}")


@pytest.fixture
def client(make: Make) -> Iterator[Client]:
    with make() as made:
        yield made


def submit(client: Client, key: str = "") -> str:
    return client.submit("anna", "flowers", "anna/flowers", "classification", metadata={"shop": "3"}, key=key).task_id


def test_a_task_from_its_submission_to_its_end(client: Client, worker: ScriptedWorker) -> None:
    key = uuid.uuid4().hex
    task_id = submit(client, key)
    assert client.task(task_id).metadata == {"shop": "3"}
    worker.finish(worker.receive(m.Start))
    assert client.wait(task_id, on_event=lambda _: None, timeout_s=TIMEOUT_S).state == "done"
    assert [event.type for event in client.events(task_id)] == ["task.submitted", "task.started", "task.done"]
    assert submit(client, key) == task_id, "one key makes one task"


def test_wait_sees_the_end_although_the_front_end_is_killed_meanwhile(
    make: Make, programs: Programs, worker: ScriptedWorker
) -> None:
    heard: list[str] = []

    def has_heard() -> bool:
        worker.publish(m.Progress(task_id, start.attempt, 40.0, "train", 10.0))
        return bool(heard)

    def waited() -> str:
        with make() as client:
            return client.wait(task_id, on_event=lambda event: heard.append(event.type)).state

    with make() as client:
        task_id = submit(client)
    start = worker.receive(m.Start)
    worker.connect_progress(programs.endpoints.collect)
    with ThreadPoolExecutor(1) as pool:
        state = pool.submit(waited)
        wait_until(has_heard, "a progress in the stream")
        programs.kill("web")
        worker.finish(start)
        programs.start("web")
        assert state.result(TIMEOUT_S) == "done"
    assert heard[-1] == "task.done"
    assert heard.count("task.done") == 1


def test_orders_to_a_task(client: Client, worker: ScriptedWorker) -> None:
    task_id = submit(client)
    start = worker.receive(m.Start)
    assert client.stop(task_id).state == "processing"
    assert client.cancel(task_id).cancel_requested
    worker.send(m.Result(task_id, start.attempt, cancelled=True))
    worker.receive(m.ResultAck)
    assert client.wait(task_id, on_event=lambda _: None).state == "cancelled"
    with pytest.raises(errors.ConflictError) as found:
        client.stop(task_id)
    assert found.value.code == "task_ended"
    again = client.retry(task_id, options={"epochs": 3})
    assert (again.retry_of, again.options) == (task_id, {"epochs": 3})
    assert client.cancel(again.task_id).state == "cancelled"


def test_what_the_server_refuses(client: Client) -> None:
    with pytest.raises(errors.NotFoundError) as missing:
        client.task(TASK_ID)
    assert missing.value.code == "unknown_task"
    assert missing.value.request_id in str(missing.value)
    with pytest.raises(errors.BadRequestError) as bad:
        client.submit("anna", "", "anna/flowers", "sculpture", options={"epochs": 0})
    assert "projectId" in bad.value.fields
    with pytest.raises(errors.NotAllowedError):
        client.submit("anna", "flowers", "/etc", "classification")


def test_lists(client: Client, worker: ScriptedWorker) -> None:
    made = {submit(client) for _ in range(3)}
    found = {task.task_id for task in client.tasks(user_id="anna", metadata={"shop": "3"}, limit=2)}
    assert made <= found
    first = client.project("anna", "flowers", limit=1)
    second = client.project("anna", "flowers", cursor=first.next, limit=1)
    assert len({task.task_id for task in (*first.tasks, *second.tasks)}) == 2
    assert client.task_page(state=["pending"], limit=0).counts.get("pending", 0) >= 2
    assert [each.name for each in client.workers().workers] == [worker.name]
    for task_id in made:
        client.cancel(task_id)


def test_what_the_server_says_of_itself(client: Client, worker: ScriptedWorker) -> None:
    assert client.server().limits.max_page_tasks > 0
    assert "classification" in [each.name for each in client.train_types().train_types]
    assert client.queue(limit=5).waiting == 0
    assert client.project("anna", "flowers").project_id == "flowers"
    assert client.drain(worker.name).name == worker.name
    assert client.undrain(worker.name).name == worker.name
    with pytest.raises(errors.NotFoundError):
        client.drain("nobody")


def test_a_task_without_a_model_has_nothing_to_show_yet(client: Client, worker: ScriptedWorker) -> None:
    task_id = submit(client)
    worker.receive(m.Start)
    assert list(client.epochs(task_id)) == []
    with pytest.raises(errors.NotFoundError) as no_log:
        list(client.log(task_id))
    assert no_log.value.code == "no_log"
    with pytest.raises(errors.TFModelError) as no_model:
        client.predict(b"no picture", task_id=task_id)
    assert no_model.value.code == "no_model"
    assert client.artifacts(task_id).artifacts == ()
    client.cancel(task_id)


def test_a_check_of_a_folder(client: Client) -> None:
    assert not client.check("anna", "flowers", "anna/flowers", "classification").trainable
